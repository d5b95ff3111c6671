import { settle } from './errors.js';
import { addon } from './native.js';
import type { ServerHandle } from './native.js';

/** A disk being served over NBD on a unix socket, by threads of its own. */
export interface NbdServer extends AsyncDisposable {
  readonly socketPath: string;
  /** Clients connected now. */
  readonly connections: number;
  /** Hangs up on every client and removes the socket. Idempotent. */
  close(): Promise<void>;
}

export class NativeNbdServer implements NbdServer {
  readonly #handle: ServerHandle;
  readonly #closed = new AbortController();

  constructor(
    handle: ServerHandle,
    readonly socketPath: string,
  ) {
    this.#handle = handle;
  }

  get connections(): number {
    return addon().serverConnections(this.#handle);
  }

  /** Closes the server when `signal` is aborted, unless it, or the disk, is closed before. */
  closeOn(signal: AbortSignal, diskClosed: AbortSignal): void {
    const abort = (): void => {
      void this.close();
    };
    const until = AbortSignal.any([this.#closed.signal, diskClosed]);
    signal.addEventListener('abort', abort, { once: true, signal: until });
  }

  async close(): Promise<void> {
    this.#closed.abort();
    await settle(addon().serverClose(this.#handle));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
