import { availableParallelism } from 'node:os';
import {
  buildIndex,
  updateIndex,
  type BuildIndexOptions,
  type IndexInfo,
} from './content-index.js';
import { DifferError } from './errors.js';
import {
  leafCount,
  pageCount,
  sliceImage,
  type Image,
  type PageRuns,
  type State,
} from './image.js';
import { DIGEST_SIZE, leavesOfPages, merkleRoot, readLeaves, writeLeaves } from './leaves.js';
import type { FingerprintKey } from './native.js';
import {
  batchOptions,
  PAGES_PER_BATCH,
  type ChangedPages,
  type OperationOptions,
} from './operation.js';
import { joinRuns } from './page-runs.js';
import { planResidue, type PlanOptions } from './planning.js';
import { answerQuestions, type AnswerOptions, type Answers } from './questions.js';
import { ResidueApplier, type ApplyOptions } from './residue-applier.js';
import type { ResiduePlan } from './residue-plan.js';
import { WorkerPool } from './worker-pool.js';

export interface DifferOptions {
  /** Worker threads; default: one a processor. */
  readonly threads?: number;
  /** Needed by everything that finds content; `key` is the VM's secret of 32 B. */
  readonly fingerprint?: FingerprintKey;
}
export interface PageFrame {
  readonly bytes: Uint8Array;
  readonly firstPage: number;
  readonly pages: number;
}

const LEAVES_PER_BATCH = 1024;
const PAGES_PER_FRAME = 256;
const RUNS_PER_BATCH = 4096;

/**
 * Finds what differs between states of a machine, and the smallest way to say it. All work runs on
 * worker threads; every operation can be aborted between two batches.
 */
export class Differ implements AsyncDisposable {
  readonly #pool: WorkerPool;
  readonly #key: FingerprintKey | undefined;

  constructor(options: DifferOptions = {}) {
    const threads = options.threads ?? availableParallelism();
    if (!Number.isInteger(threads) || threads < 1) {
      throw new DifferError('ARGUMENT_INVALID', 'A differ needs one thread at least.', {
        context: { threads },
      });
    }
    if (options.fingerprint !== undefined && options.fingerprint.key.length !== 32) {
      throw new DifferError('ARGUMENT_INVALID', 'The fingerprint key must have 32 B.', {
        context: { keyBytes: options.fingerprint.key.length },
      });
    }
    this.#pool = new WorkerPool(threads);
    this.#key = options.fingerprint;
  }

  /** Pages that differ; the shorter image reads as if padded with zeros. */
  async compare(a: Image, b: Image, options: OperationOptions = {}): Promise<PageRuns> {
    const total = Math.max(pageCount(a), pageCount(b));
    const parts = await this.#pool.ranges(
      total,
      PAGES_PER_BATCH,
      (first, count) =>
        this.#pool.kernel(
          'comparePages',
          sliceImage(a, first, count),
          sliceImage(b, first, count),
          first,
          count,
        ),
      batchOptions(options, total),
    );
    return joinRuns(parts);
  }

  /**
   * The same, looking only at `runs`: what digests or a dirty log say may have changed. Reads nothing else of the images.
   */
  async compareWithin(
    a: Image,
    b: Image,
    runs: PageRuns,
    options: OperationOptions = {},
  ): Promise<PageRuns> {
    const parts = await this.#pool.ranges(
      runs.length / 2,
      RUNS_PER_BATCH,
      (first, count) =>
        this.#pool.kernel('compareRuns', a, b, runs.slice(first * 2, (first + count) * 2)),
      batchOptions(options, runs.length / 2),
    );
    return joinRuns(parts);
  }

  /** Pages that are not all zeros: what a seed must carry. */
  nonZeroPages(image: Image, options: OperationOptions = {}): Promise<PageRuns> {
    const empty: Image = {
      sizeBytes: image.sizeBytes,
      files: [],
      extents: new BigUint64Array(0),
    };
    return this.compare(image, empty, options);
  }

  /**
   * Builds the content index of a snapshot, a directory at `path`: every distinct page of RAM and disk
   * by keyed fingerprint, and the sketches by which similar pages are found. Memory is bounded (about
   * 400 MB for the largest segment), whatever the size of the disk.
   */
  async buildIndex(base: State, path: string, options: BuildIndexOptions = {}): Promise<IndexInfo> {
    return await buildIndex(this.#pool, this.#requireKey(), base, path, options);
  }

  /**
   * The index of a later snapshot, made from an earlier one's: reads and hashes only the `changed`
   * pages. Both indexes must stand on one file system.
   */
  async updateIndex(
    o: { from: string; state: State; changed: ChangedPages; path: string } & OperationOptions,
  ): Promise<IndexInfo> {
    return await updateIndex(this.#pool, this.#requireKey(), o);
  }

  /** SHA-256 of every leaf of 64 KiB to `path` (32 B each); returns the tree's root. */
  async hashLeaves(
    image: Image,
    path: string,
    options: OperationOptions = {},
  ): Promise<Uint8Array> {
    const total = leafCount(image);
    const parts = await this.#pool.ranges(
      total,
      LEAVES_PER_BATCH,
      (first, count) => this.#hash(image, first, count),
      batchOptions(options, total),
    );
    const leaves = Buffer.concat(parts);
    await writeLeaves(path, leaves);
    return merkleRoot(leaves);
  }

  /** Hashes again only the leaves that hold a changed page; returns the new root. */
  async updateLeaves(
    fromPath: string,
    image: Image,
    changed: PageRuns,
    toPath: string,
    options: OperationOptions = {},
  ): Promise<Uint8Array> {
    const count = leafCount(image);
    const leaves = await readLeaves(fromPath, count);
    const batches: { first: number; count: number }[] = [];
    const runs = leavesOfPages(changed);
    for (let i = 0; i + 1 < runs.length; i += 2) {
      const end = Math.min(count, Number(runs[i] ?? 0n) + Number(runs[i + 1] ?? 0n));
      for (let first = Number(runs[i] ?? 0n); first < end; first += LEAVES_PER_BATCH) {
        batches.push({ first, count: Math.min(LEAVES_PER_BATCH, end - first) });
      }
    }
    await this.#pool.ranges(
      batches.length,
      1,
      async (number) => {
        const batch = batches[number];
        if (batch === undefined) return;
        leaves.set(await this.#hash(image, batch.first, batch.count), batch.first * DIGEST_SIZE);
      },
      batchOptions(options, batches.length),
    );
    await writeLeaves(toPath, leaves);
    return merkleRoot(leaves);
  }

  /**
   * Proves a state that a residue brought: brings the leaves up to date from the base's and compares
   * the root. When it does not prove, exchange digests level by level (`merkleParents`, `diffLeaves`)
   * and repair with `encodePages` and `applyPages`.
   */
  async proveResidue(o: {
    baseLeavesPath: string;
    image: Image;
    changed: PageRuns;
    leavesPath: string;
    expectedRoot: Uint8Array;
    signal?: AbortSignal;
  }): Promise<{ proved: boolean; root: Uint8Array }> {
    const root = await this.updateLeaves(
      o.baseLeavesPath,
      o.image,
      o.changed,
      o.leavesPath,
      o.signal === undefined ? {} : { signal: o.signal },
    );
    return { proved: Buffer.compare(root, o.expectedRoot) === 0, root };
  }

  /**
   * Sorts the changed pages by what explains them. `changed` may name pages that did not change; pages
   * beyond the images are ignored. `questionBits` overrides the width of the questions (tests only).
   */
  planResidue(o: PlanOptions): Promise<ResiduePlan> {
    return planResidue(this.#pool, this.#requireKey(), o);
  }

  /**
   * Answers the source's questions from what the replay changed: in the first round each about a page's own
   * place, in the second (`earlier`: the first's answers) about any place. Throws QUESTIONS_CORRUPT or
   * QUESTIONS_MISMATCH.
   */
  answerQuestions(o: AnswerOptions): Promise<Answers> {
    return answerQuestions(this.#pool, this.#requireKey(), o);
  }

  /** Opens the destination's side. Throws OUTPUT_INVALID when `output.ram` is too small a file. */
  applyResidue(o: ApplyOptions): Promise<ResidueApplier> {
    return ResidueApplier.open(o);
  }

  /**
   * Whole pages in frames of up to 1 MiB of content, each decodable on its own: a seed (with
   * {@link nonZeroPages}) or the repair of a state that did not prove. `level` 1 to 22, default 3.
   */
  async *encodePages(
    image: Image,
    runs: PageRuns,
    options: OperationOptions & { level?: number } = {},
  ): AsyncGenerator<PageFrame, void, undefined> {
    const total = runs.reduce((sum, value, i) => (i % 2 === 1 ? sum + Number(value) : sum), 0);
    let done = 0;
    for (let i = 0; i + 1 < runs.length; i += 2) {
      const end = Number((runs[i] ?? 0n) + (runs[i + 1] ?? 0n));
      for (let firstPage = Number(runs[i]); firstPage < end; firstPage += PAGES_PER_FRAME) {
        options.signal?.throwIfAborted();
        const pages = Math.min(PAGES_PER_FRAME, end - firstPage);
        const slice = sliceImage(image, firstPage, pages);
        const level = options.level ?? 3;
        const bytes = await this.#pool.kernel('encodeChunk', slice, firstPage, pages, level);
        done += pages;
        options.onProgress?.({ done, total });
        yield { bytes, firstPage, pages };
      }
    }
  }

  /**
   * Writes a frame of {@link encodePages} into the file at `path` (made if missing), an image of
   * `sizeBytes`; returns the run it brought. Throws CHUNK_CORRUPT; nothing is written then.
   */
  applyPages(frame: Uint8Array, output: { path: string; sizeBytes: bigint }): Promise<PageRuns> {
    return this.#pool.kernel('applyChunk', frame, output.path, output.sizeBytes);
  }

  /** Ends the worker threads; work under way fails. */
  close(): Promise<void> {
    return this.#pool.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #hash(image: Image, first: number, count: number): Promise<Uint8Array> {
    return this.#pool.kernel('hashLeaves', sliceImage(image, first * 16, count * 16), first, count);
  }

  #requireKey(): FingerprintKey {
    if (this.#key !== undefined) return this.#key;
    throw new DifferError(
      'FINGERPRINT_KEY_MISSING',
      'Finding content needs a fingerprint key. Make the differ with `fingerprint`.',
    );
  }
}
