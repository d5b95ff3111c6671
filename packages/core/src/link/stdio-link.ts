import { Duplex } from 'node:stream';

import type { Link } from './link.js';

/** The far end of a process link: this process's own standard input and output. */
export function stdioLink(peer = 'the other host'): Link {
  const stream = Duplex.from({ readable: process.stdin, writable: process.stdout });
  stream.on('error', () => undefined);
  const close = async () => {
    if (stream.destroyed) return;
    await new Promise<void>((resolve) => {
      stream.end(resolve);
    });
    process.stdin.destroy();
  };
  return { peer, stream, lastWords: () => '', close, [Symbol.asyncDispose]: close };
}
