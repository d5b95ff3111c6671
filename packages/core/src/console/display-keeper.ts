import { setTimeout as delay } from 'node:timers/promises';

import { RepriseError } from '../errors.js';

import type { DisplayAddress } from './display-connection.js';
import type { TileObserver } from './framebuffer.js';
import { RfbClient } from './rfb-client.js';

export interface DisplayKeeperOptions {
  readonly display: DisplayAddress;
  readonly observer?: TileObserver;
  readonly onLost: (lost: RfbClient) => void;
  /** Connected again, and nobody else has used it. */
  readonly onBack: (client: RfbClient) => void;
  readonly onWarning: (warning: RepriseError) => void;
}

const FIRST_RETRY_MS = 100;
const LONGEST_RETRY_MS = 2000;

/** Keeps one RfbClient connected to the display, and connects again, for as long as it takes, when it is lost. */
export class DisplayKeeper {
  readonly #options: DisplayKeeperOptions;
  readonly #stop = new AbortController();
  #client: RfbClient | undefined;
  #keeping: Promise<void> = Promise.resolve();

  private constructor(options: DisplayKeeperOptions) {
    this.#options = options;
  }

  /** Throws what RfbClient.connect throws when the display cannot be reached now. */
  static async open(options: DisplayKeeperOptions, signal?: AbortSignal): Promise<DisplayKeeper> {
    const keeper = new DisplayKeeper(options);
    keeper.#client = await keeper.#connect(signal);
    keeper.#keeping = keeper.#keep(keeper.#client);
    return keeper;
  }

  /** Undefined while the display is away. */
  get client(): RfbClient | undefined {
    return this.#client;
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.#client?.close();
    await this.#keeping;
  }

  async #keep(first: RfbClient): Promise<void> {
    for (
      let client: RfbClient | undefined = first;
      client !== undefined;
      client = await this.#reconnect()
    ) {
      this.#client = client;
      if (client !== first && client.open) this.#options.onBack(client);
      await client.closed;
      this.#client = undefined;
      if (this.#stop.signal.aborted) return;
      this.#options.onLost(client);
      this.#options.onWarning(
        new RepriseError(
          'DISPLAY_LOST',
          'The connection to the display ended; viewers were closed. Connect them again.',
        ),
      );
    }
  }

  async #reconnect(): Promise<RfbClient | undefined> {
    for (
      let waitMs = FIRST_RETRY_MS;
      !this.#stop.signal.aborted;
      waitMs = Math.min(2 * waitMs, LONGEST_RETRY_MS)
    ) {
      try {
        return await this.#connect(this.#stop.signal);
      } catch {
        // Expected while the display is away; the loss itself was reported.
        await delay(waitMs, undefined, { signal: this.#stop.signal }).catch(() => undefined);
      }
    }
    return undefined;
  }

  #connect(signal: AbortSignal | undefined): Promise<RfbClient> {
    const { display, observer } = this.#options;
    return RfbClient.connect(display, {
      ...(observer === undefined ? {} : { observer }),
      ...(signal === undefined ? {} : { signal }),
    });
  }
}
