import { setTimeout as delay } from 'node:timers/promises';

import { describeError } from '../errors.js';
import type { DiskService } from '../supervisor/disk-service.js';
import { BLOCK_DIGEST_BYTES } from '../supervisor/written-blocks.js';
import { MAX_WRITTEN, type Written } from './written-codec.js';

export interface ReplayedFrontOptions {
  /** The replay's disk, while it runs. */
  readonly disk: Pick<DiskService, 'written'>;
  /** Of the VM, for the digests. */
  readonly key: Uint8Array;
  /** Takes one list to the source; settles when the link has it. */
  readonly tell: (written: Written) => Promise<void>;
  /** Told once, when the front has not been able to tell anything for a while: why, for a person. */
  readonly onTrouble: (why: string) => void;
  /** Default 500 ms. */
  readonly everyMs?: number;
}

const EVERY_MS = 500;
/** A disk that is being started again is back after fewer failures. */
const TROUBLE_AFTER = 10;

/**
 * The destination's front of the race: tells the source, while a replay runs, what that has written, so that the
 * source does not ship it. Nothing but bytes hangs on it: what is told is asked about again in the end.
 */
export class ReplayedFront implements AsyncDisposable {
  readonly #options: ReplayedFrontOptions;
  readonly #over = new AbortController();
  readonly #done: Promise<void>;

  constructor(options: ReplayedFrontOptions) {
    this.#options = options;
    this.#done = this.#run();
  }

  /** Ends when what is under way is told. Safe to call twice. */
  async close(): Promise<void> {
    this.#over.abort();
    await this.#done;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #run(): Promise<void> {
    const { disk, key, tell } = this.#options;
    const { signal } = this.#over;
    let againFrom = 0n;
    let fromSequence = 0n;
    let failures = 0;
    while (!signal.aborted) {
      try {
        const written = await disk.written({ key, againFrom, fromSequence, atMost: MAX_WRITTEN });
        for (const piece of piecesOf(written)) await tell(piece);
        againFrom = fromSequence;
        fromSequence = written.nextSequence;
        failures = 0;
      } catch (error) {
        // Once or twice it is a disk that is being started again, or a link that is gone, which others notice.
        if (++failures === TROUBLE_AFTER) this.#options.onTrouble(describeError(error));
      }
      // Ended early, it is over.
      await delay(this.#options.everyMs ?? EVERY_MS, undefined, { signal }).catch(() => undefined);
    }
  }
}

/** No message names more than it may: one record of the log can be about more blocks. */
function* piecesOf({ blocks, digests }: Written): Generator<Written> {
  for (let at = 0; at < blocks.length; at += MAX_WRITTEN) {
    const end = Math.min(at + MAX_WRITTEN, blocks.length);
    yield {
      blocks: blocks.slice(at, end),
      digests: digests.subarray(at * BLOCK_DIGEST_BYTES, end * BLOCK_DIGEST_BYTES),
    };
  }
}
