import { RepriseError } from '@reprise/core';

import type { Context } from '../context.js';

/** `vm rm`: forgets a VM and everything that this host keeps of it. */
export async function vmRemove(
  context: Context,
  name: string,
  options: { readonly yes?: boolean },
): Promise<void> {
  await using store = await context.openStore();
  const { occupied } = await store.describeVm(name);
  if (options.yes !== true) {
    throw new RepriseError(
      'INVALID_ARGUMENT',
      `This deletes '${name}' from this host for good. Say that you mean it: reprise vm rm ${name} --yes`,
    );
  }
  await store.removeVm(name);
  context.output.result(
    { removed: name, freedBytes: occupied.total },
    () => `'${name}' is removed.`,
  );
}
