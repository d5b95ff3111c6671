import { once } from 'node:events';

import { listenUnix, parseAddress, receive, RepriseError, stdioLink } from '@reprise/core';

import type { Context } from '../context.js';

/** `receive`: the far side. Over ssh it serves one source on its standard input and output. */
export async function receiveVm(
  context: Context,
  options: { readonly listen?: string },
): Promise<void> {
  const { home, signal } = context;
  // Standard output is the link: what happens is told on standard error.
  const onEvent = (text: string) => process.stderr.write(`reprise: ${text}\n`);
  if (options.listen === undefined) {
    if (process.stdin.isTTY) {
      throw new RepriseError(
        'INVALID_ARGUMENT',
        'receive is started by the other host through ssh. To wait for connections here: reprise receive --listen unix:/path',
      );
    }
    await receive({ home, link: stdioLink(), signal, onEvent });
    return;
  }
  const address = parseAddress(options.listen);
  if (address.kind !== 'unix') {
    throw new RepriseError(
      'INVALID_ARGUMENT',
      'Only unix:/path can be listened on; other hosts come through ssh.',
    );
  }
  const serving = new Set<Promise<void>>();
  await using _server = await listenUnix(address.path, (link) => {
    const served = receive({ home, link, signal, onEvent })
      .catch(() => undefined)
      .finally(() => serving.delete(served));
    serving.add(served);
  });
  onEvent(`waiting at ${address.path}; Ctrl-C ends`);
  if (!signal.aborted) await once(signal, 'abort');
  await Promise.all(serving);
}
