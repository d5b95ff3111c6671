import { readFile } from 'node:fs/promises';

import { RepriseError, startVm } from '@reprise/core';

import type { Context } from '../context.js';
import { withSpinner } from '../output/spinner.js';

export interface StartOptions {
  readonly cold?: boolean;
  readonly discard?: boolean;
  readonly takeBack?: boolean;
  readonly vnc?: string;
  readonly vncPasswordFile?: string;
}

/** `start`: runs a VM under a supervisor that stays behind. */
export async function start(context: Context, name: string, o: StartOptions): Promise<void> {
  if (o.takeBack === true) {
    await using store = await context.openStore();
    await store.vm(name);
    await store.lease.apply(name, { type: 'cancel' });
  }
  const port = await portOf(o);
  const status = await withSpinner(context.output, `starting '${name}'`, (say) =>
    startVm(context.home, name, {
      leftover: o.discard === true ? 'discard' : o.cold === true ? 'cold' : 'refuse',
      ...(port === undefined ? {} : { port }),
      signal: context.signal,
      onProgress: say,
    }),
  );
  context.output.result(status, () => `'${name}' runs. Look at it: reprise console ${name}`);
}

async function portOf(o: StartOptions): Promise<{ port: number; password: string } | undefined> {
  if (o.vnc === undefined) return undefined;
  const port = Number(o.vnc);
  if (!Number.isInteger(port) || port < 0 || port > 65535) {
    throw new RepriseError(
      'INVALID_ARGUMENT',
      `'${o.vnc}' is no port. Give a number up to 65535; 0 picks one.`,
    );
  }
  if (o.vncPasswordFile === undefined) {
    throw new RepriseError(
      'INVALID_ARGUMENT',
      'A console on a port can be reached by every user of this host, so it needs a password. Put one into a file: --vnc-password-file FILE',
    );
  }
  const password = (await readFile(o.vncPasswordFile, 'utf8')).trim();
  return { port, password };
}
