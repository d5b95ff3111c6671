import { once } from 'node:events';
import { chmod, lstat, mkdtemp, rename, rmdir, unlink } from 'node:fs/promises';
import { type AddressInfo, createConnection, type Server } from 'node:net';
import { dirname, join } from 'node:path';

import { RepriseError } from '../errors.js';

/** What sockaddr_un holds, without the final zero. */
const UNIX_PATH_BYTES = 107;
const SOCKET_MODE = 0o600;

/** A listening server's address for people, and how to take it away. */
export interface Listening {
  readonly address: string;
  close(): Promise<void>;
}

/**
 * Listens on a unix socket with mode 0600. The socket is made in a directory that only this user enters and then renamed into place, so that
 * it is never open to others and replaces a dead console's socket in one step.
 * Throws CONSOLE_ADDRESS_IN_USE when a living console listens there, or the path is not a socket.
 */
export async function listenOnPath(server: Server, path: string): Promise<Listening> {
  await refuseLiving(path);
  let directory: string | undefined;
  try {
    directory = await mkdtemp(join(dirname(path), '.c'));
    const temporary = join(directory, 's');
    if (
      Buffer.byteLength(temporary) > UNIX_PATH_BYTES ||
      Buffer.byteLength(path) > UNIX_PATH_BYTES
    ) {
      throw new RepriseError(
        'INVALID_ARGUMENT',
        `The console's socket path is too long: ${path}. Use a shorter directory.`,
      );
    }
    await listen(server, { path: temporary });
    await chmod(temporary, SOCKET_MODE);
    await rename(temporary, path);
  } catch (cause) {
    server.close();
    throw cause instanceof RepriseError ? cause : listenFailed(path, cause);
  } finally {
    if (directory !== undefined) await removeDirectory(directory);
  }
  const { ino } = await lstat(path);
  return { address: path, close: () => unlinkOwn(path, ino) };
}

/** Listens on a TCP port of the loopback interface; port 0 picks one. */
export async function listenOnLoopback(
  server: Server,
  host: '127.0.0.1',
  port: number,
): Promise<Listening> {
  try {
    await listen(server, { host, port });
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'EADDRINUSE') throw inUse(`${host}:${port}`);
    throw listenFailed(`${host}:${port}`, cause);
  }
  const { port: bound } = server.address() as AddressInfo;
  return { address: `${host}:${bound}`, close: () => Promise.resolve() };
}

async function listen(
  server: Server,
  where: { path: string } | { host: string; port: number },
): Promise<void> {
  const listening = once(server, 'listening');
  server.listen(where);
  await listening;
}

async function refuseLiving(path: string): Promise<void> {
  const existing = await lstat(path).catch(() => undefined);
  if (existing === undefined) return;
  if (!existing.isSocket()) {
    throw new RepriseError(
      'CONSOLE_ADDRESS_IN_USE',
      `${path} exists and is not a socket. Remove it or choose another path.`,
    );
  }
  const probe = createConnection(path);
  const alive = await once(probe, 'connect').then(
    () => true,
    () => false,
  );
  probe.destroy();
  if (alive) throw inUse(path);
}

/** Holds at most a socket that could not be renamed. */
async function removeDirectory(directory: string): Promise<void> {
  await unlink(join(directory, 's')).catch(() => undefined);
  await rmdir(directory);
}

async function unlinkOwn(path: string, ino: number): Promise<void> {
  const existing = await lstat(path).catch(() => undefined);
  if (existing?.ino === ino) await unlink(path).catch(() => undefined);
}

function inUse(address: string): RepriseError {
  return new RepriseError(
    'CONSOLE_ADDRESS_IN_USE',
    `Another console listens at ${address}. Close it, or choose another address.`,
    { context: { address } },
  );
}

function listenFailed(address: string, cause: unknown): RepriseError {
  return new RepriseError(
    'CONSOLE_LISTEN_FAILED',
    `The console cannot listen at ${address}. Check that the directory exists and may be written.`,
    { context: { address }, cause },
  );
}
