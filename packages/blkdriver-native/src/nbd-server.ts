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

  constructor(
    handle: ServerHandle,
    readonly socketPath: string,
  ) {
    this.#handle = handle;
  }

  get connections(): number {
    return addon().serverConnections(this.#handle);
  }

  async close(): Promise<void> {
    await settle(addon().serverClose(this.#handle));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
