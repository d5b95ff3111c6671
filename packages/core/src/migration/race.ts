import { BLOCK_SIZE, DiskView } from '@reprise/blkdriver-native';
import { pageCount, type PageRuns, type ResidueFrame } from '@reprise/differ';

import type { Channel, Content } from '../protocol/index.js';
import type { Snapshot } from '../snapshot/index.js';
import { blockDigest } from '../supervisor/written-blocks.js';

import type { Analysis } from './analysis.js';
import { stopReplayBecause } from './race-model.js';
import { RaceSamples, type RaceSample } from './race-samples.js';
import { replaySeconds } from './session-log.js';
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
  /** The destination has no need of what the replay produced: it holds everything. */
  readonly complete: boolean;
  /** What went ahead. */
  readonly shipped: { readonly ram: PageRuns; readonly disk: PageRuns };
  readonly samples: readonly RaceSample[];
}

const LOOK_MS = 100;

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
  #heardMs = performance.now();
  #events = 0;
  #done = 0;
  #bytes = 0;
  #allShipped = false;
  #stopped: string | undefined;
  #view: DiskView | undefined;

  constructor(options: RaceOptions) {
    this.#o = options;
    const { analysis, channel, key, onFrame } = options;
    this.#front = new ShippingFront({
      ...analysis,
      digestOf: async (block) => {
        this.#view ??= await DiskView.open(options.head.chain);
        const at = BigInt(block) * BigInt(BLOCK_SIZE);
        return blockDigest(key, await this.#view.read(at, BLOCK_SIZE));
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
      const report = await this.#untilReport();
      this.#over.abort();
      await shipping;
      this.#sample({ last: true });
      return {
        ...{ report, stopped: this.#stopped, complete: this.#front.isComplete },
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
    if (this.#o.optimize === 'bytes' || this.#o.analysis.exact) return;
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
          const { events, eventsTotal } = message.content;
          if (events > this.#events) this.#heardMs = performance.now();
          this.#events = events;
          this.#done = eventsTotal === 0 ? 1 : Math.min(1, events / eventsTotal);
          onProgress(events, eventsTotal);
        }
      }
    }
  }

  #look(): void {
    this.#sample({});
    const { optimize, analysis, channel } = this.#o;
    // An exact one has a deadline of its own: its events are no measure of its progress.
    if (this.#stopped !== undefined || analysis.exact) return;
    const { input } = analysis;
    this.#stopped = stopReplayBecause({
      optimize,
      shipped: this.#allShipped,
      plannedSeconds: 'log' in input ? replaySeconds(input.log) : 0,
      silentSeconds: (performance.now() - this.#heardMs) / 1000,
    });
    if (this.#stopped === undefined) return;
    // When it fails, so does whatever waits for the report.
    channel.send('replayStop', { keep: !this.#front.isComplete }).catch(() => undefined);
  }

  #sample(options: { readonly last?: boolean }): void {
    const ms = Math.round(performance.now() - this.#startedMs);
    const { positions } = this.#front;
    this.#samples.offer({ ...positions, ms, bytes: this.#bytes, done: this.#done }, options);
  }
}
