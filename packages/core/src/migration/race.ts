import { DiskView } from '@reprise/blkdriver-native';
import { pageCount, type PageRuns, type ResidueFrame } from '@reprise/differ';

import { RepriseError } from '../errors.js';
import { unlessAborted } from '../unless-aborted.js';
import type { Channel, Content } from '../protocol/index.js';
import type { Snapshot } from '../snapshot/index.js';
import { blockDigests } from '../supervisor/written-blocks.js';

import type { Analysis } from './analysis.js';
import { stopReplayBecause, type Stop } from './race-model.js';
import { RaceSamples, type RaceSample } from './race-samples.js';
import { ReplayPulse } from './replay-pulse.js';
import { replaySeconds, sessionMs } from './session-log.js';
import { ShippingFront } from './shipping-front.js';
import { decodeWritten } from './written-codec.js';

export interface RaceOptions {
  readonly channel: Channel;
  readonly analysis: Analysis;
  readonly sealedLog: Uint8Array;
  /** The snapshot that travels. */
  readonly head: Snapshot;
  readonly optimize: 'bytes' | 'time';
  /** Of the VM, for digests of single blocks. */
  readonly key: Uint8Array;
  readonly onFrame: (frame: ResidueFrame) => void;
  readonly onProgress: (events: number, total: number) => void;
}

/** How a race ended. */
export interface Race {
  readonly report: Content<'replayReport'>;
  /** Why the source stopped the replay; undefined when that ended by itself. */
  readonly stopped: string | undefined;
  /** What the replay produced is worth asking for: it is there, it may pay, and the destination does not hold everything. */
  readonly worthAsking: boolean;
  /** What went ahead. */
  readonly shipped: { readonly ram: PageRuns; readonly disk: PageRuns };
  readonly samples: readonly RaceSample[];
}

const LOOK_MS = 100;
/** A replay that was stopped looks through the memory that it leaves, which takes a while where that is large; then it is told to leave it. */
const STOP_PATIENCE_MS = 300_000;
const DROP_PATIENCE_MS = 120_000;

/**
 * Replay against shipping, from the input log to the destination's report. With `bytes` nothing goes ahead: it might be what
 * the replay produces. With `time` the residue goes ahead as far as it gets, and whoever is through first
 * ends the race; so it takes about as long as the faster one alone.
 */
export async function race(options: RaceOptions): Promise<Race> {
  return await new RunningRace(options).run();
}

class RunningRace {
  readonly #o: RaceOptions;
  readonly #front: ShippingFront;
  readonly #samples = new RaceSamples();
  readonly #startedMs = performance.now();
  readonly #over = new AbortController();
  readonly #pulse = new ReplayPulse(() => performance.now());
  readonly #overdue = new AbortController();
  #done = 0;
  #matched = 0;
  #missesInARow = 0;
  #bytes = 0;
  #allShipped = false;
  #stopped: (Stop & { readonly atMs: number }) | undefined;
  #view: DiskView | undefined;

  constructor(options: RaceOptions) {
    this.#o = options;
    const { analysis, channel, key, onFrame } = options;
    this.#front = new ShippingFront({
      ...analysis,
      digestsOf: async (blocks) => {
        const view = (this.#view ??= await DiskView.open(options.head.chain));
        return await blockDigests(view, key, blocks);
      },
      start: () => channel.send('residueStart', {}),
      send: async (frame) => {
        await channel.send(frame.space === 'ram' ? 'ramResidue' : 'diskResidue', frame.bytes);
        this.#bytes += frame.bytes.length;
        onFrame(frame);
      },
    });
  }

  async run(): Promise<Race> {
    const { channel, sealedLog } = this.#o;
    await channel.send('inputLog', sealedLog);
    const shipping = this.#ship();
    // When it fails, so does whatever waits for the report.
    shipping.catch(() => undefined);
    const looking = setInterval(() => {
      this.#look();
    }, LOOK_MS);
    try {
      const report = await unlessAborted(this.#untilReport(), this.#overdue.signal);
      this.#over.abort();
      await shipping;
      this.#sample({ last: true });
      return {
        ...{ report, stopped: this.#stopped?.because, worthAsking: this.#isWorthAsking(report) },
        ...{ shipped: this.#front.shipped, samples: this.#samples.samples },
      };
    } finally {
      clearInterval(looking);
      this.#over.abort();
      await shipping.catch(() => undefined);
      await this.#view?.close();
    }
  }

  async #ship(): Promise<void> {
    // An exact replay leaves nothing to ship; what is not sent cannot have been in vain.
    if (this.#o.optimize === 'bytes' || this.#o.analysis.virtualTime) return;
    await this.#front.run(this.#over.signal);
    if (this.#over.signal.aborted) return;
    this.#allShipped = true;
    this.#look();
  }

  async #untilReport(): Promise<Content<'replayReport'>> {
    const { channel, analysis, onProgress } = this.#o;
    const diskBlocks = pageCount(analysis.change.target.disk);
    for (;;) {
      const message = await channel.receive('replayProgress', 'replayed', 'replayReport');
      switch (message.name) {
        case 'replayReport':
          return message.content;
        case 'replayed':
          await this.#front.replayed(decodeWritten(message.content, diskBlocks));
          break;
        case 'replayProgress': {
          const { events, eventsTotal, matchedMs, missesInARow } = message.content;
          this.#pulse.told(message.content);
          this.#done = eventsTotal === 0 ? 1 : Math.min(1, events / eventsTotal);
          this.#matched = Math.min(1, matchedMs / Math.max(1, this.#sessionMs));
          this.#missesInARow = missesInARow;
          onProgress(events, eventsTotal);
        }
      }
    }
  }

  get #sessionMs(): number {
    const { input } = this.#o.analysis;
    return 'log' in input ? sessionMs(input.log) : 0;
  }

  #isWorthAsking({ outcome }: Content<'replayReport'>): boolean {
    return outcome !== 'failed' && this.#stopped?.keep !== false && !this.#front.isComplete;
  }

  #look(): void {
    this.#sample({});
    const { optimize, analysis } = this.#o;
    if (this.#stopped !== undefined) this.#waitForStopped(this.#stopped);
    // An exact one has a deadline of its own: its events are no measure of its progress.
    else if (!analysis.virtualTime) {
      const { input, plan } = analysis;
      const stop = stopReplayBecause({
        optimize,
        shipped: this.#allShipped,
        plannedSeconds: 'log' in input ? replaySeconds(input.log) : 0,
        silentSeconds: this.#pulse.silentMs / 1000,
        ...{ done: this.#done, matched: this.#matched, missesInARow: this.#missesInARow },
        stakes: plan.stakes,
      });
      if (stop !== undefined) this.#stop({ ...stop, keep: stop.keep && !this.#front.isComplete });
    }
  }

  #stop(stop: Stop): void {
    this.#stopped = { ...stop, atMs: performance.now() };
    // When it fails, so does whatever waits for the report.
    this.#o.channel.send('replayStop', { keep: stop.keep }).catch(() => undefined);
  }

  /** The report comes soon after the stop, or what the replay produced is given up, or the migration. */
  #waitForStopped({ because, keep, atMs }: Stop & { readonly atMs: number }): void {
    const waitedMs = performance.now() - atMs;
    if (keep && waitedMs > STOP_PATIENCE_MS) this.#stop({ because, keep: false });
    else if (!keep && waitedMs > DROP_PATIENCE_MS) {
      this.#overdue.abort(
        new RepriseError(
          'TIMEOUT',
          `The replay at ${this.#o.channel.peerName} was stopped and does not end. The VM stays here. Migrate again, with --strategy ship if this repeats.`,
        ),
      );
    }
  }

  #sample(options: { readonly last?: boolean }): void {
    const ms = Math.round(performance.now() - this.#startedMs);
    const { positions } = this.#front;
    this.#samples.offer({ ...positions, ms, bytes: this.#bytes, done: this.#done }, options);
  }
}
