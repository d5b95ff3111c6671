import type { EncodeOptions, PageRuns, ResidueFrame, ResiduePlan } from '@reprise/differ';

import { BLOCK_DIGEST_BYTES } from '../supervisor/written-blocks.js';

import { PendingBlocks } from './pending-blocks.js';
import { unionRuns } from './runs.js';
import type { Written } from './written-codec.js';

export interface ShippingFrontOptions {
  readonly residue: Pick<ResiduePlan, 'encode' | 'entries'>;
  /** The blocks that the sessions wrote, as runs, the last written first. */
  readonly diskOrder: BigUint64Array;
  /** The digests of blocks of the target, ascending, as the destination computes them of a replay's. */
  readonly digestsOf: (blocks: readonly number[]) => Promise<Uint8Array>;
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
/** It races: coded as densely as keeps up with the link, no denser. */
const LEVEL = 'adaptive';

/**
 * The source's front of the race: while the destination replays, the residue goes ahead. First the disk, the last written
 * block first, without what the replay is known to have produced; then the memory. Replay makes the oldest writes first,
 * so the fronts meet.
 */
export class ShippingFront {
  readonly #options: ShippingFrontOptions;
  readonly #blocks: PendingBlocks;
  readonly #shipped: { readonly ram: PageRuns[]; readonly disk: PageRuns[] } = {
    ram: [],
    disk: [],
  };
  #ramIsOut = false;
  #inVain = 0;

  constructor(options: ShippingFrontOptions) {
    this.#options = options;
    this.#blocks = new PendingBlocks(
      inOrder(diskBlocks(options.residue.entries.pages), options.diskOrder),
    );
  }

  /** What the destination holds of the residue by now. */
  get shipped(): { readonly ram: PageRuns; readonly disk: PageRuns } {
    return { ram: unionRuns(this.#shipped.ram), disk: unionRuns(this.#shipped.disk) };
  }

  /** Nothing is left at all: no word of the replay is needed. */
  get isComplete(): boolean {
    return this.#ramIsOut && this.#blocks.isEmpty;
  }

  get positions(): FrontPositions {
    return this.#blocks.positions;
  }

  /** The destination told what its replay has written. What it wrote before, and wrote again, counts by its last content. */
  async replayed({ blocks, digests }: Written): Promise<void> {
    const places = [...blocks.keys()].filter((i) => this.#blocks.has(blocks[i] ?? -1));
    const asked = places.map((i) => blocks[i] ?? 0);
    const own = await this.#options.digestsOf(asked);
    for (const [n, block] of asked.entries()) {
      const isEqual = Buffer.compare(digestAt(digests, places[n] ?? 0), digestAt(own, n)) === 0;
      if (this.#blocks.replayed(block, isEqual)) this.#inVain++;
    }
  }

  /** Ships until `over`, or until all is out but what the replay has produced. */
  async run(over: AbortSignal): Promise<void> {
    while (!over.aborted) {
      const wanted = this.#blocks.wanted();
      if (wanted.length > 0) await this.#shipDisk(wanted, over);
      else if (!this.#ramIsOut) await this.#shipRam(over);
      else return;
    }
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
    const options = { ...what, level: LEVEL, applied: this.shipped } as const;
    for await (const frame of this.#options.residue.encode(options)) {
      if (!started) await this.#options.start();
      started = true;
      yield frame;
    }
  }

  async #send(frame: ResidueFrame): Promise<void> {
    await this.#options.send(frame);
    this.#shipped[frame.space].push(frame.covered);
    if (frame.space === 'ram') return;
    for (let i = 0; i + 1 < frame.covered.length; i += 2) {
      const first = Number(frame.covered[i]);
      const end = first + Number(frame.covered[i + 1]);
      for (let block = first; block < end; block++) this.#blocks.shipped(block);
    }
  }
}

function digestAt(digests: Uint8Array, i: number): Uint8Array {
  return digests.subarray(i * BLOCK_DIGEST_BYTES, (i + 1) * BLOCK_DIGEST_BYTES);
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
