import type { EncodeOptions, PageRuns, ResidueFrame, ResiduePlan } from '@reprise/differ';

import { BLOCK_DIGEST_BYTES } from '../supervisor/written-blocks.js';

import { unionRuns } from './runs.js';
import type { Written } from './written-codec.js';

export interface ShippingFrontOptions {
  readonly residue: Pick<ResiduePlan, 'encode' | 'entries'>;
  /** The blocks that the sessions wrote, as runs, the last written first. */
  readonly diskOrder: BigUint64Array;
  /** The digest of a block of the target, as the destination computes them of a replay's. */
  readonly digestOf: (block: number) => Promise<Uint8Array>;
  /** A stream of frames begins. */
  readonly start: () => Promise<void>;
  readonly send: (frame: ResidueFrame) => Promise<void>;
}

/** What both hosts know about the same blocks of the disk: for the report. */
export interface FrontPositions {
  /** Blocks of the residue that have been shipped ahead. */
  readonly shipped: number;
  /** Of the others, those that the replay has produced by now. */
  readonly replayed: number;
  readonly blocks: number;
}

/** A stream goes on although the replay has got ahead of it, until it would ship this much in vain. */
const WORTH_A_NEW_STREAM = 32;
const NO_RUNS: PageRuns = new BigUint64Array(0);

/**
 * The source's front of the race: while the destination replays, the residue goes ahead. First the disk, the last written
 * block first, without what the replay is known to have produced; then the memory. Replay makes the oldest writes first,
 * so the fronts meet.
 */
export class ShippingFront {
  readonly #options: ShippingFrontOptions;
  /** Blocks that may be shipped, in their order; and which of them are not yet. */
  readonly #order: readonly number[];
  readonly #pending: Set<number>;
  readonly #replayed = new Set<number>();
  readonly #shipped: { ram: PageRuns; disk: PageRuns } = { ram: NO_RUNS, disk: NO_RUNS };
  #ramIsOut = false;
  #inVain = 0;

  constructor(options: ShippingFrontOptions) {
    this.#options = options;
    this.#order = inOrder(diskBlocks(options.residue.entries.pages), options.diskOrder);
    this.#pending = new Set(this.#order);
  }

  /** What the destination holds of the residue by now. */
  get shipped(): { readonly ram: PageRuns; readonly disk: PageRuns } {
    return this.#shipped;
  }

  /** Nothing is left at all: no word of the replay is needed. */
  get isComplete(): boolean {
    return this.#ramIsOut && this.#pending.size === 0;
  }

  get positions(): FrontPositions {
    let replayed = 0;
    for (const block of this.#replayed) if (this.#pending.has(block)) replayed++;
    const blocks = this.#order.length;
    return { shipped: blocks - this.#pending.size, replayed, blocks };
  }

  /** The destination told what its replay has written. What it wrote before, and wrote again, counts by its last content. */
  async replayed({ blocks, digests }: Written): Promise<void> {
    for (const [i, block] of blocks.entries()) {
      if (!this.#pending.has(block)) continue;
      const told = digests.subarray(i * BLOCK_DIGEST_BYTES, (i + 1) * BLOCK_DIGEST_BYTES);
      const isEqual = Buffer.compare(told, await this.#options.digestOf(block)) === 0;
      if (!isEqual) this.#replayed.delete(block);
      else if (!this.#replayed.has(block)) {
        this.#replayed.add(block);
        this.#inVain++;
      }
    }
  }

  /** Ships until `over`, or until all is out but what the replay has produced. */
  async run(over: AbortSignal): Promise<void> {
    while (!over.aborted) {
      const wanted = this.#wanted();
      if (wanted.length > 0) await this.#shipDisk(wanted, over);
      else if (!this.#ramIsOut) await this.#shipRam(over);
      else return;
    }
  }

  #wanted(): number[] {
    return this.#order.filter((block) => this.#pending.has(block) && !this.#replayed.has(block));
  }

  async #shipDisk(wanted: readonly number[], over: AbortSignal): Promise<void> {
    this.#inVain = 0;
    let left = wanted.length;
    const diskOrder = BigUint64Array.from(wanted.flatMap((block) => [BigInt(block), 1n]));
    for await (const frame of this.#frames({ spaces: ['disk'], diskOrder })) {
      if (over.aborted) return;
      await this.#send(frame);
      left -= frame.pages;
      if (left <= 0 || this.#inVain >= WORTH_A_NEW_STREAM) return;
    }
  }

  async #shipRam(over: AbortSignal): Promise<void> {
    for await (const frame of this.#frames({ spaces: ['ram'] })) {
      if (over.aborted) return;
      await this.#send(frame);
    }
    this.#ramIsOut = true;
  }

  /** A stream of what is not out yet; its start is told with the first frame. */
  async *#frames(what: EncodeOptions): AsyncGenerator<ResidueFrame, void, undefined> {
    let started = false;
    for await (const frame of this.#options.residue.encode({ ...what, applied: this.#shipped })) {
      if (!started) await this.#options.start();
      started = true;
      yield frame;
    }
  }

  async #send(frame: ResidueFrame): Promise<void> {
    await this.#options.send(frame);
    this.#shipped[frame.space] = unionRuns([this.#shipped[frame.space], frame.covered]);
    if (frame.space === 'ram') return;
    for (let i = 0; i + 1 < frame.covered.length; i += 2) {
      const first = Number(frame.covered[i]);
      const end = first + Number(frame.covered[i + 1]);
      for (let block = first; block < end; block++) this.#pending.delete(block);
    }
  }
}

/** Of packed locations, those on the disk, as block numbers. */
function diskBlocks(pages: BigUint64Array): Set<number> {
  const blocks = new Set<number>();
  for (const packed of pages) if ((packed & 1n) === 1n) blocks.add(Number(packed >> 1n));
  return blocks;
}

/** `blocks` in the order of `runs`, and after that what `runs` leaves out. */
function inOrder(blocks: ReadonlySet<number>, runs: BigUint64Array): number[] {
  const order = new Set<number>();
  for (let i = 0; i + 1 < runs.length; i += 2) {
    const first = Number(runs[i]);
    const end = first + Number(runs[i + 1]);
    for (let block = first; block < end; block++) if (blocks.has(block)) order.add(block);
  }
  for (const block of blocks) order.add(block);
  return [...order];
}
