import { discardSession, RepriseError, suspendVm, vmStatus } from '@reprise/core';

import type { Context } from '../context.js';
import { withSpinner } from '../output/spinner.js';
import { short } from '../output/units.js';

/** `suspend`: ends the session; its result is the VM's newest snapshot. */
export async function suspend(context: Context, name: string): Promise<void> {
  await requireRunning(context, name);
  const { root } = await withSpinner(context.output, `suspending '${name}'`, () =>
    suspendVm(context.home, name),
  );
  context.output.result({ name, root }, () => `'${name}' is suspended as ${short(root)}.`);
}

/** `stop`: cuts the power and forgets the session. */
export async function stop(
  context: Context,
  name: string,
  options: { readonly discard?: boolean },
): Promise<void> {
  await requireRunning(context, name);
  if (options.discard !== true) {
    throw new RepriseError(
      'INVALID_ARGUMENT',
      `Stopping '${name}' loses everything since it was started. Keep it: reprise suspend ${name}. Lose it: reprise stop ${name} --discard`,
    );
  }
  await discardSession(context.home, name);
  context.output.result({ name }, () => `'${name}' is stopped, and back at its last snapshot.`);
}

async function requireRunning(context: Context, name: string): Promise<void> {
  await using store = await context.openStore();
  await store.vm(name);
  if ((await vmStatus(context.home, name)) === undefined) {
    throw new RepriseError(
      'VM_NOT_RUNNING',
      `'${name}' does not run here. Start it: reprise start ${name}`,
    );
  }
}
