import type { Differ } from '@reprise/differ';

import { RepriseError } from '../errors.js';
import { openBlob, unpackInputLog, type InputLog } from '../input/index.js';
import type { Channel, Content } from '../protocol/index.js';
import type { Snapshot, SnapshotStore } from '../snapshot/index.js';

import { LOG_PURPOSE } from './analysis.js';
import { unpackSessions } from './exact-replay.js';
import { replaySession, type Replayed, type ReplayFront, type ReplayTrial } from './replay.js';
import { replayVirtually, type AdoptableState, type VirtuallyReplayed } from './virtual-replay.js';
import { encodeWritten } from './written-codec.js';

const PROGRESS_EVERY_MS = 2_000;

export interface BackgroundReplayOptions {
  readonly store: SnapshotStore;
  readonly differ: Differ;
  readonly channel: Channel;
  readonly base: Snapshot;
  readonly plan: Content<'plan'>;
  /** Of the input log, or the logs of several sessions. */
  readonly sealedLog: Uint8Array;
  /** Ends everything; nothing is kept. */
  readonly signal: AbortSignal;
  readonly trial?: ReplayTrial;
}

/** A replay beside the conversation. Its progress and its report go out on the channel. */
export class BackgroundReplay implements AsyncDisposable {
  readonly #o: BackgroundReplayOptions;
  readonly #ending = new AbortController();
  readonly #stopping = new AbortController();
  readonly #dropping = new AbortController();
  readonly #replayed: Promise<Replayed | VirtuallyReplayed>;

  constructor(options: BackgroundReplayOptions) {
    this.#o = options;
    this.#replayed = this.#run();
    // Whoever awaits it hears of a failure; until then it must not end the process.
    this.#replayed.catch(() => undefined);
  }

  /** Ends the replay early; what it produced so far counts where it is to be kept. Idempotent. */
  stop({ keep }: { readonly keep: boolean }): void {
    (keep ? this.#stopping : this.#dropping).abort();
  }

  /** Settles when the report has gone out. */
  async result(): Promise<Replayed> {
    return await this.#replayed;
  }

  /** The state of a replay in virtual time. Throws PROTOCOL_VIOLATION where there is none. */
  async adoptable(): Promise<AdoptableState> {
    const replayed = await this.#replayed;
    if ('state' in replayed) return replayed.state;
    throw new RepriseError(
      'PROTOCOL_VIOLATION',
      'The state of a replay was to be adopted, and there is none. Migrate again.',
    );
  }

  /** Ends everything and frees the copy that was replayed on. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending.abort();
    const replayed = await this.#replayed.catch(() => undefined);
    await replayed?.[Symbol.asyncDispose]();
  }

  async #run(): Promise<Replayed | VirtuallyReplayed> {
    const { store, differ, channel, base, plan, sealedLog, signal, trial } = this.#o;
    const packed = openBlob(await store.secret(base.vm), LOG_PURPOSE, sealedLog);
    const options = {
      ...{ store, differ, base, migration: plan.migration },
      signal: AbortSignal.any([signal, this.#ending.signal, this.#dropping.signal]),
    };
    const tell = this.#progressTeller();
    const replayed =
      plan.exact === true
        ? await replayVirtually({
            ...options,
            logs: unpackSessions(packed),
            onProgress: (events, eventsTotal, sessionMs) => {
              const ms = Math.round(sessionMs);
              tell({ events, eventsTotal, sessionMs: ms, missesInARow: 0, matchedMs: ms });
            },
          })
        : await replaySession({
            ...options,
            ...tried(trial, unpackInputLog(packed)),
            onProgress: tell,
            stop: this.#stopping.signal,
            ...(plan.fronts ? { front: await this.#front() } : {}),
          });
    await channel.send('replayReport', replayed.report);
    return replayed;
  }

  /** Takes what a replay has written to the source. */
  async #front(): Promise<ReplayFront> {
    const { store, channel, base } = this.#o;
    return {
      key: await store.deriveKey(base.vm, 'replayed-blocks'),
      tell: async (written) => {
        await channel.send('replayed', encodeWritten(written));
      },
    };
  }

  #progressTeller(): (progress: Content<'replayProgress'>) => void {
    let toldMs = performance.now();
    return (progress) => {
      // A timer's beat may come a little early.
      if (performance.now() - toldMs < 0.9 * PROGRESS_EVERY_MS) return;
      toldMs = performance.now();
      this.#o.channel.send('replayProgress', progress).catch(() => undefined);
    };
  }
}

function tried(trial: ReplayTrial | undefined, log: InputLog) {
  return {
    log: trial?.rewrite?.(log) ?? log,
    ...(trial?.pacing === undefined ? {} : { pacing: trial.pacing }),
  };
}
