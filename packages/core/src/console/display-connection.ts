import { once } from 'node:events';
import { createConnection, type Socket } from 'node:net';

import { RepriseError, throwIfCancelled } from '../errors.js';

import { ByteReader } from './byte-reader.js';
import { clientHandshake } from './rfb-handshake.js';
import type { ServerInit } from './rfb-protocol.js';

/** A unix socket's path, or a TCP address on this host. */
export type DisplayAddress = string | { readonly host: string; readonly port: number };

export interface ConnectOptions {
  readonly password?: string;
  readonly signal?: AbortSignal;
  /** For the connection and the handshake together. Default 10 s. */
  readonly timeoutMs?: number;
}

/** A display after its handshake: what comes next from `reader` are server messages. */
export interface DisplayConnection {
  readonly socket: Socket;
  readonly reader: ByteReader;
  readonly init: ServerInit;
  readonly initBytes: Buffer;
}

const CONNECT_TIMEOUT_MS = 10_000;
const CLOSE_TIMEOUT_MS = 500;

/** Connects and shakes hands. Throws DISPLAY_UNAVAILABLE, RFB_*, CANCELLED. */
export async function connectDisplay(
  address: DisplayAddress,
  options: ConnectOptions = {},
): Promise<DisplayConnection> {
  const { signal, password, timeoutMs = CONNECT_TIMEOUT_MS } = options;
  throwIfCancelled(signal);
  const socket =
    typeof address === 'string'
      ? createConnection(address)
      : createConnection({ ...address, noDelay: true });
  let failure: Error | undefined;
  socket.on('error', (error) => (failure ??= error));
  const giveUp = (): void => void socket.destroy();
  signal?.addEventListener('abort', giveUp, { once: true });
  let timedOut = false;
  const deadline = setTimeout(() => {
    timedOut = true;
    socket.destroy();
  }, timeoutMs);
  const reader = new ByteReader(socket, () =>
    unavailable(
      address,
      timedOut ? `did not answer within ${timeoutMs} ms` : 'closed the connection',
      failure,
    ),
  );
  try {
    await connected(socket, address);
    const { init, initBytes } = await clientHandshake(reader, socket, password);
    return { socket, reader, init, initBytes };
  } catch (error) {
    reader.detach();
    socket.destroy();
    throwIfCancelled(signal);
    throw error;
  } finally {
    clearTimeout(deadline);
    signal?.removeEventListener('abort', giveUp);
  }
}

async function connected(socket: Socket, address: DisplayAddress): Promise<void> {
  try {
    await Promise.race([
      once(socket, 'connect'),
      once(socket, 'close').then(() => Promise.reject(new Error('closed'))),
    ]);
  } catch (cause) {
    throw unavailable(address, 'cannot be reached', cause);
  }
}

function unavailable(address: DisplayAddress, what: string, cause: unknown): RepriseError {
  const where = typeof address === 'string' ? address : `${address.host}:${address.port}`;
  return new RepriseError(
    'DISPLAY_UNAVAILABLE',
    `The display at ${where} ${what}. Check that the VM runs, then connect again.`,
    { context: { display: where }, cause },
  );
}

/** Ends a connection in order, so that what was written arrives; destroys it when the other end does not follow. */
export async function endConnection(socket: Socket): Promise<void> {
  if (socket.destroyed) return;
  const closed = new Promise<void>((resolve) =>
    socket.once('close', () => {
      resolve();
    }),
  );
  const deadline = setTimeout(() => socket.destroy(), CLOSE_TIMEOUT_MS);
  socket.on('error', ignoreAfterEnd);
  socket.resume();
  socket.end();
  await closed;
  clearTimeout(deadline);
}

/** A reset while closing is the end that was wanted. */
function ignoreAfterEnd(): void {
  return undefined;
}
