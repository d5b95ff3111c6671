import {
  CLASS_TWIN,
  CLASS_UNKNOWN,
  travelledPages,
  type PlanCounts,
  type TravelledPages,
} from './counts.js';
import { DifferError } from './errors.js';
import type { PageRuns, Space, State } from './image.js';
import { framesAhead } from './frames-ahead.js';
import { LevelGovernor } from './level-governor.js';
import type { FingerprintKey, PlanArrays } from './native.js';
import { joinRuns, runsContain } from './page-runs.js';
import { anywhereBits } from './questions.js';
import { WorkerPool } from './worker-pool.js';

export interface ResidueFrame {
  readonly space: Space;
  /** One self-delimiting message for {@link ResidueApplier.apply}. */
  readonly bytes: Uint8Array;
  readonly pages: number;
  readonly counts: TravelledPages;
  /** Which pages of `space` this frame brings: for `applied` when another stream is to go on. */
  readonly covered: PageRuns;
}

export interface EncodeOptions {
  /** The destination's answers ({@link Answers.bits}) of each round; left out when nothing was replayed. */
  readonly known?: Uint8Array | readonly Uint8Array[];
  /**
   * 1 to 18: zstd. 19 and above: context mixing, half the size at about 1 MB/s of carried pages on both sides, with
   * 180 MB of memory. `adaptive`: the level, frame by frame, that keeps up with whoever takes the frames: the fastest way.
   * Default: 19, however many pages there are: the fewest bytes.
   */
  readonly level?: number | 'adaptive';
  readonly signal?: AbortSignal;
  /** Runs of disk pages in the order to send them; what they leave out follows ascending. */
  readonly diskOrder?: 'ascending' | BigUint64Array;
  /** Only these spaces; default both, the disk first. */
  readonly spaces?: readonly Space[];
  /** What an applier already holds ({@link ResidueApplier.applied}): left out, but referred to. */
  readonly applied?: { readonly ram: PageRuns; readonly disk: PageRuns };
}

export interface ResidueEstimate {
  readonly ramBytes: number;
  readonly diskBytes: number;
  readonly questionBytes: number;
}

/** What {@link Differ.planResidue} found, in the arrays that the native encoder reads. */
export interface PlannedResidue {
  readonly base: State;
  readonly target: State;
  readonly arrays: PlanArrays;
  readonly counts: PlanCounts;
  readonly questions: Uint8Array;
  /** Of the pages asked about. */
  readonly fingerprints: BigUint64Array;
  readonly key: FingerprintKey;
}

/** What a page of memory that need not be carried saves: cautious, trials say 60 to 100. */
const SAVED_BYTES_PER_PAGE = 60;
/** Of an answer: 0 is no, 2 a yes that its check doubts. */
const YES = 1;
const MIXED_LEVEL = 19; // kMixedLevel in native/core/delta_codec.h

let encoderIds = 0;

/** The source's side of a residue: what changed, sorted by what explains it. */
export class ResiduePlan implements AsyncDisposable {
  /** Pages by what explains them and space. */
  readonly counts: PlanCounts;
  /** Truncated keyed fingerprints of the pages that the base does not explain. */
  readonly questions: Uint8Array;
  readonly #planned: PlannedResidue;
  // One thread of its own: the encoder's state lives on it, and a slow consumer holds up nobody else.
  #pool: WorkerPool | undefined;
  /** One byte a question: whether the second round, if there was one, asked about it. */
  #secondRound = new Uint8Array(0);
  #closed = false;

  /** @internal Plans come from {@link Differ.planResidue}. */
  constructor(planned: PlannedResidue) {
    this.#planned = planned;
    this.counts = planned.counts;
    this.questions = planned.questions;
  }

  /**
   * Every page that is part of the residue, with what explains it: for whoever explains or measures a plan. The arrays
   * are the plan's own and must not be written to.
   */
  get entries(): PlanArrays {
    return this.#planned.arrays;
  }

  /**
   * What {@link encode} would cost without answers, found by encoding at a fast level: an upper bound,
   * about twice what the default level needs.
   */
  async estimateBytes(options: { signal?: AbortSignal } = {}): Promise<ResidueEstimate> {
    const bytes = { ram: 0, disk: 0 };
    for await (const frame of this.encode({ ...options, level: 3 })) {
      bytes[frame.space] += frame.bytes.length;
    }
    return {
      ramBytes: bytes.ram,
      diskBytes: bytes.disk,
      questionBytes: this.questions.length,
    };
  }

  /**
   * Frames in the order in which they must be applied, each of at most 256 KiB of page content. The
   * first frame of every call starts a stream: an applier takes it whatever came before. Throws
   * ANSWERS_CORRUPT or ANSWERS_MISMATCH for answers that do not fit the questions.
   */
  async *encode(options: EncodeOptions = {}): AsyncGenerator<ResidueFrame, void, undefined> {
    const { base, target, arrays } = this.#planned;
    const pool = this.#open();
    const rounds = options.known instanceof Uint8Array ? [options.known] : (options.known ?? []);
    const known = await this.#knownAfter(pool, rounds);
    options.signal?.throwIfAborted();
    const id = ++encoderIds;
    const applied = this.#applied(options);
    const order = this.#order(options).filter((entry) => applied[Number(entry)] !== 1);
    let encoded = 0;
    const governor = options.level === 'adaptive' ? new LevelGovernor() : undefined;
    const fixed = options.level === 'adaptive' ? undefined : options.level;
    const level = governor?.level ?? fixed ?? MIXED_LEVEL;
    const settings = { level, known, order, applied };
    try {
      await pool.run({ kind: 'encoder-open', id, arguments: [base, target, arrays, settings] });
      for await (const frame of framesAhead(pool, id, governor)) {
        const { bytes, space, pages, pagesByKind } = frame;
        const covered = this.#pagesAt(order.subarray(encoded, encoded + pages));
        encoded += pages;
        yield { bytes, space, pages, counts: travelledPages(pagesByKind), covered };
        options.signal?.throwIfAborted();
      }
    } finally {
      if (!this.#closed) await pool.run({ kind: 'close', id });
    }
  }

  /**
   * The questions of a second round, about any place, or undefined where the first round's answers
   * let expect less from it than it costs. Throws as {@link encode}.
   */
  async moreQuestions(answers: Uint8Array): Promise<Uint8Array | undefined> {
    const { fingerprints, key, arrays } = this.#planned;
    const pool = this.#open();
    const { known, sample } = await pool.kernel('decodeAnswers', answers, fingerprints);
    const open = fingerprints.filter((_, i) => known[i] === 0);
    const bits = anywhereBits(open.length, arrays.pages.length);
    const isWorthAll = shareElsewhere(open, sample) * SAVED_BYTES_PER_PAGE > bits / 8;
    // A file's content lands in other frames and blocks than it did before: it is nearly always worth asking about.
    const ofFiles = this.#contentOfFiles();
    const selection = Uint8Array.from(ofFiles, (isFile) => (isWorthAll || isFile ? 1 : 0));
    const selected = selection.filter((_, i) => known[i] === 0);
    const asked = fingerprints.filter((_, i) => known[i] === 0 && selection[i] === 1);
    if (asked.length === 0) return undefined;
    this.#secondRound = selection;
    return await pool.kernel('encodeQuestions', key, new BigUint64Array(0), selected, asked, bits);
  }

  /** For each question, whether the disk holds that content too. */
  #contentOfFiles(): boolean[] {
    const { pages, classes, sources } = this.#planned.arrays;
    const originals = new Set<number>();
    classes.forEach((kind, entry) => {
      const isOnDisk = ((pages[entry] ?? 0n) & 1n) === 1n;
      if (!isOnDisk) return;
      if (kind === CLASS_UNKNOWN) originals.add(entry);
      if (kind === CLASS_TWIN) originals.add(Number(sources[entry]));
    });
    return Array.from(classes.keys())
      .filter((entry) => classes[entry] === CLASS_UNKNOWN)
      .map((entry) => originals.has(entry));
  }

  /** Ends the plan's thread; an iteration under way fails with CLOSED. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#pool?.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #open(): WorkerPool {
    if (this.#closed)
      throw new DifferError('CLOSED', 'The plan is closed. Plan the residue again.');
    this.#pool ??= new WorkerPool(1);
    return this.#pool;
  }

  /** One byte a question after all rounds; nothing when there were none. */
  async #knownAfter(pool: WorkerPool, rounds: readonly Uint8Array[]): Promise<Uint8Array> {
    const [first, second] = rounds;
    const { fingerprints } = this.#planned;
    if (first === undefined) return new Uint8Array(0);
    const { known } = await pool.kernel('decodeAnswers', first, fingerprints);
    // What a check doubts is carried; it is not asked about again, since the destination believes it.
    if (second === undefined) return known.map((answer) => (answer === YES ? 1 : 0));
    const selection = this.#secondRound;
    const isAsked = (i: number) => known[i] === 0 && selection[i] === 1;
    const asked = fingerprints.filter((_, i) => isAsked(i));
    const more = await pool.kernel('decodeAnswers', second, asked);
    let next = 0;
    return known.map((answer, i) => ((isAsked(i) ? more.known[next++] : answer) === YES ? 1 : 0));
  }

  #order(options: EncodeOptions): BigUint64Array {
    const { pages } = this.#planned.arrays;
    // Entries stand RAM first, then disk, each ascending.
    let ramEntries = 0;
    while (ramEntries < pages.length && ((pages[ramEntries] ?? 0n) & 1n) === 0n) ramEntries++;
    const spaces = options.spaces ?? ['ram', 'disk'];
    const disk = spaces.includes('disk')
      ? orderDisk(pages.subarray(ramEntries), options.diskOrder ?? 'ascending')
      : [];
    const ram = spaces.includes('ram') ? ramEntries : 0;
    const order = new BigUint64Array(disk.length + ram);
    disk.forEach((entry, i) => (order[i] = BigInt(entry + ramEntries)));
    for (let i = 0; i < ram; i++) order[disk.length + i] = BigInt(i);
    return order;
  }

  /** The pages of some entries, as ascending runs. */
  #pagesAt(entries: BigUint64Array): PageRuns {
    const { pages } = this.#planned.arrays;
    const numbers = Array.from(entries, (entry) => (pages[Number(entry)] ?? 0n) >> 1n);
    numbers.sort((a, b) => (a < b ? -1 : 1));
    return joinRuns(numbers.map((page) => BigUint64Array.of(page, 1n)));
  }

  #applied(options: EncodeOptions): Uint8Array {
    if (options.applied === undefined) return new Uint8Array(0);
    const { ram, disk } = options.applied;
    const { pages } = this.#planned.arrays;
    return Uint8Array.from(pages, (packed) =>
      runsContain((packed & 1n) === 1n ? disk : ram, packed >> 1n) ? 1 : 0,
    );
  }
}

/**
 * The share of open questions whose content the replay holds elsewhere, by the sample: both sides have
 * drawn the smallest fingerprints, so below the sample's largest they can be compared one by one.
 */
function shareElsewhere(open: BigUint64Array, sample: BigUint64Array): number {
  const largest = sample.at(-1);
  if (largest === undefined) return 0;
  const theirs = new Set(sample);
  const drawn = open.map((fingerprint) => fingerprint >> 32n).filter((high) => high <= largest);
  if (drawn.length === 0) return 0;
  return drawn.filter((high) => theirs.has(high)).length / drawn.length;
}

/** Numbers of the (ascending) disk entries in the order asked for, each once. */
function orderDisk(pages: BigUint64Array, runs: 'ascending' | BigUint64Array): number[] {
  const all = Array.from(pages, (_, i) => i);
  if (runs === 'ascending') return all;
  const taken = new Uint8Array(pages.length);
  const order: number[] = [];
  for (let i = 0; i + 1 < runs.length; i += 2) {
    const first = ((runs[i] ?? 0n) << 1n) | 1n;
    const end = first + ((runs[i + 1] ?? 0n) << 1n);
    for (let at = lowerBound(pages, first); at < pages.length && (pages[at] ?? end) < end; at++) {
      if (taken[at] === 0) order.push(at);
      taken[at] = 1;
    }
  }
  return order.concat(all.filter((entry) => taken[entry] === 0));
}

function lowerBound(ascending: BigUint64Array, value: bigint): number {
  let low = 0;
  let high = ascending.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((ascending[middle] ?? value) < value) low = middle + 1;
    else high = middle;
  }
  return low;
}
