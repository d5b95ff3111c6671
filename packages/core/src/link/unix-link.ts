import { chmod, rm } from 'node:fs/promises';
import { connect, createServer, type Socket } from 'node:net';

import { RepriseError } from '../errors.js';

import type { Link } from './link.js';

const LINGER_MS = 1_000;

/** Connects to a unix socket on which the other side listens. */
export async function connectUnix(path: string, signal?: AbortSignal): Promise<Link> {
  const socket = connect({ path, ...(signal === undefined ? {} : { signal }) });
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('error', (cause) => {
      reject(
        new RepriseError(
          'LINK_FAILED',
          `Nothing answers at ${path} (${cause.message}). Start 'reprise receive --listen unix:${path}' there first.`,
          { cause },
        ),
      );
    });
  });
  return socketLink(socket, `unix:${path}`);
}

/** Accepts links at a unix socket that only its owner may use. Disposing it ends its links too. */
export async function listenUnix(
  path: string,
  onLink: (link: Link) => void,
): Promise<AsyncDisposable> {
  await rm(path, { force: true });
  const open = new Set<Socket>();
  const server = createServer((socket) => {
    open.add(socket);
    socket.once('close', () => open.delete(socket));
    onLink(socketLink(socket, `unix:${path}`));
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) => {
      reject(
        new RepriseError(
          'LINK_FAILED',
          `Cannot listen at ${path} (${cause.message}). Choose a path in a directory of your own, shorter than 108 bytes.`,
          { cause },
        ),
      );
    });
    server.listen(path, resolve);
  });
  await chmod(path, 0o600);
  const close = async () => {
    const closed = new Promise((resolve) => server.close(resolve));
    for (const socket of open) socket.destroy();
    await closed;
  };
  return { [Symbol.asyncDispose]: close };
}

function socketLink(socket: Socket, peer: string): Link {
  let reason = '';
  socket.on('error', (error) => {
    reason = error.message;
  });
  const close = async () => {
    if (!socket.destroyed) {
      const closed = new Promise((resolve) => socket.once('close', resolve));
      // What is written still goes out, but a peer that does not read cannot hold us.
      const linger = setTimeout(() => socket.destroy(), LINGER_MS);
      socket.destroySoon();
      await closed;
      clearTimeout(linger);
    }
  };
  return { peer, stream: socket, lastWords: () => reason, close, [Symbol.asyncDispose]: close };
}
