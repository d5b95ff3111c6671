import { copyFile, open, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { BLOCK_SIZE, DiskView, sealOverlayFrom } from '@reprise/blkdriver-native';
import {
  decompress,
  PAGE_SIZE,
  pageCount,
  type Answers,
  type Differ,
  type PageRuns,
  type ResidueApplier,
  type Space,
} from '@reprise/differ';

import { RepriseError } from '../errors.js';
import { joinDeviceState } from '../hypervisor/index.js';
import {
  copySparse,
  type Incoming,
  type Snapshot,
  type SnapshotStore,
  type StateDigests,
} from '../snapshot/index.js';
import { pageReader, runsBelow, wholeStateOf, type WholeState } from '../state/index.js';

import type { Replayed } from './replay.js';
import { unionRuns } from './runs.js';
import type { AdoptableState } from './virtual-replay.js';

/** A device state is display memory and registers; no honest one is larger. */
const MAX_DEVICE_BYTES = 1024 * 1024 * 1024;
const NO_PAGES: PageRuns = new BigUint64Array(0);
/** Read and written at once while blocks are copied. */
const MOST_PIECE_BLOCKS = 256n;

/**
 * Where the destination puts the target together: a copy of the base's RAM that is patched, with room behind it for the
 * pages of the device state, and a sparse file of the blocks that changed. The replayed VM is only ever read; nothing here runs.
 */
export class Staging {
  readonly incoming: Incoming;
  readonly #store: SnapshotStore;
  readonly #differ: Differ;
  readonly #base: Snapshot;
  readonly #baseState: WholeState;
  #applier: ResidueApplier | undefined;
  #applied = { ram: NO_PAGES, disk: NO_PAGES };
  #committed = false;
  #replayed: Replayed | undefined;
  #answers: Answers | undefined;

  private constructor(
    store: SnapshotStore,
    differ: Differ,
    base: Snapshot,
    baseState: WholeState,
    incoming: Incoming,
  ) {
    this.#store = store;
    this.#differ = differ;
    this.#base = base;
    this.#baseState = baseState;
    this.incoming = incoming;
  }

  /** Starts from a fresh copy of `base`; what an earlier attempt staged is dropped. */
  static async open(
    store: SnapshotStore,
    differ: Differ,
    base: Snapshot,
    target: string,
  ): Promise<Staging> {
    await store.discardIncoming(base.vm, target);
    const incoming = await store.openIncoming(base.vm, target);
    await copySparse(base.paths.ram, incoming.ram, { sync: false });
    const whole = await wholeStateOf(base);
    await truncate(incoming.ram, Number(whole.state.ram.sizeBytes));
    return new Staging(store, differ, base, whole, incoming);
  }

  /** The file that holds the changed blocks at their offsets until they are sealed into a layer. */
  get diskData(): string {
    return join(this.incoming.directory, 'disk.data');
  }

  /** What a repair patches. */
  output(space: Space): { readonly path: string; readonly sizeBytes: bigint } {
    const path = space === 'ram' ? this.incoming.ram : this.diskData;
    return { path, sizeBytes: BigInt(this.#base.manifest[space].sizeBytes) };
  }

  /** The digests of the leaves, as of the last `digest()`. */
  leaves(space: Space): string {
    return space === 'ram' ? this.incoming.ramLeaves : this.incoming.diskLeaves;
  }

  /** Looks the source's questions up in what the replay produced. */
  async answer(questions: Uint8Array, replayed: Replayed): Promise<Uint8Array> {
    const { produced } = replayed;
    this.#answers = await this.#differ.answerQuestions({
      questions,
      base: this.#baseState.state,
      replay: produced?.state ?? this.#baseState.state,
      changed: produced?.changed ?? { ram: NO_PAGES, disk: NO_PAGES },
      ...(this.#answers === undefined ? {} : { earlier: this.#answers }),
    });
    this.#replayed = replayed;
    return this.#answers.bits;
  }

  /** A new stream of residue frames; it may refer to what earlier ones brought, and to the replay. */
  async startStream(): Promise<void> {
    await this.#endStream();
    const produced = this.#replayed?.produced;
    this.#applier = await this.#differ.applyResidue({
      base: this.#baseState.state,
      output: { ram: this.incoming.ram, disk: this.diskData },
      applied: this.#applied,
      ...(produced === undefined || this.#answers === undefined
        ? {}
        : { replay: produced.state, answers: this.#answers }),
    });
  }

  async apply(frame: Uint8Array): Promise<void> {
    if (this.#applier === undefined) {
      throw new RepriseError(
        'PROTOCOL_VIOLATION',
        'A residue frame came outside a stream. Migrate again.',
      );
    }
    await this.#applier.apply(frame);
  }

  /**
   * The device state: what is `rest` of it beside its pages, which the residue has brought; `whole`, against the base's; or
   * `alone`, in a repair.
   */
  async device(compressed: Uint8Array, what: 'rest' | 'whole' | 'alone'): Promise<void> {
    const { bytes, pages } = this.#baseState.device;
    if (what === 'rest' && pages === undefined) {
      throw new RepriseError(
        'PROTOCOL_VIOLATION',
        'The device state was divided in a way that this host does not know. Make sure that both hosts run the same reprise, then try again.',
      );
    }
    const reference = what === 'rest' ? pages?.rest : bytes;
    const content = await decompress(compressed, {
      ...(what === 'alone' || reference === undefined ? {} : { reference }),
      maxBytes: MAX_DEVICE_BYTES,
    });
    const state =
      what === 'rest' && pages !== undefined
        ? await this.#withPages(Buffer.from(content), pages.layout)
        : content;
    await writeFile(this.incoming.device, state, { mode: 0o600 });
  }

  /** The base's pages, but for those that the residue has brought. */
  async #withPages(rest: Buffer, layout: string): Promise<Buffer> {
    await this.#endStream();
    const { ram } = this.#baseState.state;
    const memoryPages = this.#base.manifest.ram.sizeBytes / PAGE_SIZE;
    const changed = new Set(pagesFrom(this.#applied.ram, memoryPages));
    const behind = Buffer.alloc((pageCount(ram) - memoryPages) * PAGE_SIZE);
    const file = await open(this.incoming.ram);
    try {
      await file.read(behind, 0, behind.length, memoryPages * PAGE_SIZE);
    } finally {
      await file.close();
    }
    const basePage = pageReader(this.#baseState);
    try {
      return joinDeviceState(rest, layout, (number) =>
        changed.has(memoryPages + number)
          ? behind.subarray(number * PAGE_SIZE, (number + 1) * PAGE_SIZE)
          : basePage(number),
      );
    } catch (cause) {
      throw new RepriseError(
        'PROTOCOL_VIOLATION',
        'What came of the device state is none. Make sure that both hosts run the same reprise, then try again.',
        { cause },
      );
    }
  }

  /** Takes a replayed state over as it stands; it is proved like everything else. */
  async adopt(replayed: AdoptableState): Promise<void> {
    await this.#endStream();
    await rm(this.incoming.ram, { force: true });
    await copySparse(replayed.ram, this.incoming.ram, { sync: false });
    await copyFile(replayed.device, this.incoming.device);
    await this.#copyBlocks(replayed);
    this.#applied = replayed.changed;
  }

  /** The blocks that the replay wrote, at their offsets. */
  async #copyBlocks({ overlay, changed }: AdoptableState): Promise<void> {
    await using view = await DiskView.open({
      base: this.#base.chain.base,
      layers: [...this.#base.chain.layers, overlay],
    });
    const file = await open(this.diskData, 'w', 0o600);
    try {
      await file.truncate(this.#base.manifest.disk.sizeBytes);
      for (const { offset, length } of piecesOf(changed.disk)) {
        await file.write(await view.read(offset, length), 0, length, Number(offset));
      }
    } finally {
      await file.close();
    }
  }

  /** Notes pages that came another way than through a residue stream. */
  addPages(space: Space, runs: PageRuns): void {
    this.#applied = { ...this.#applied, [space]: unionRuns([this.#applied[space], runs]) };
  }

  /** Puts the layers together and digests the result: what is to be proved. */
  async digest(): Promise<StateDigests> {
    await this.#endStream();
    await this.#seal();
    const { sizeBytes } = this.#base.manifest.ram;
    await truncate(this.incoming.ram, sizeBytes);
    const { ram, disk } = this.#applied;
    return await this.#store.digestIncoming(this.#base.vm, this.incoming.root, {
      parent: this.#base.root,
      changed: { ram: runsBelow(ram, sizeBytes / PAGE_SIZE), disk },
    });
  }

  /** Makes the proven state a snapshot. It becomes the head only with the handoff. */
  async commit(digests: StateDigests, createdAt: string): Promise<void> {
    await this.#store.commitIncoming(this.#base.vm, this.incoming.root, {
      parent: this.#base.root,
      digests,
      createdAt,
    });
    this.#committed = true;
  }

  /** What was not committed is dropped. Idempotent. */
  async close(): Promise<void> {
    await this.#applier?.close();
    this.#applier = undefined;
    if (!this.#committed) await this.#store.discardIncoming(this.#base.vm, this.incoming.root);
  }

  async #endStream(): Promise<void> {
    if (this.#applier === undefined) return;
    const { ram, disk } = await this.#applier.finish();
    await this.#applier.close();
    this.#applier = undefined;
    this.#applied = {
      ram: unionRuns([this.#applied.ram, ram]),
      disk: unionRuns([this.#applied.disk, disk]),
    };
  }

  async #seal(): Promise<void> {
    if (this.#applied.disk.length === 0) return;
    const dataFile = join(this.incoming.directory, 'disk.seal');
    // The layer takes its data file away; a repair may still have to patch ours.
    await copySparse(this.diskData, dataFile, { sync: false });
    await rm(this.incoming.overlay, { recursive: true, force: true });
    await sealOverlayFrom(this.incoming.overlay, {
      sizeBytes: BigInt(this.#base.manifest.disk.sizeBytes),
      dataFile,
      blocks: this.#applied.disk,
    });
  }
}

/** The pages of runs that are not below `first`. */
function* pagesFrom(runs: PageRuns, first: number): Generator<number> {
  for (let i = 0; i + 1 < runs.length; i += 2) {
    const end = Number((runs[i] ?? 0n) + (runs[i + 1] ?? 0n));
    for (let page = Math.max(first, Number(runs[i])); page < end; page++) yield page;
  }
}

/** Runs of blocks as byte ranges of bounded length. */
function* piecesOf(runs: PageRuns): Generator<{ offset: bigint; length: number }> {
  for (let i = 0; i < runs.length; i += 2) {
    const end = (runs[i] ?? 0n) + (runs[i + 1] ?? 0n);
    for (let at = runs[i] ?? 0n; at < end; at += MOST_PIECE_BLOCKS) {
      const blocks = end - at < MOST_PIECE_BLOCKS ? end - at : MOST_PIECE_BLOCKS;
      yield { offset: at * BigInt(BLOCK_SIZE), length: Number(blocks) * BLOCK_SIZE };
    }
  }
}
