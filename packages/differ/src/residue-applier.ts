import { travelledPages, type ResidueCounts } from './counts.js';
import { DifferError } from './errors.js';
import type { PageRuns, State } from './image.js';
import type { AppliedPages } from './native.js';
import { NO_RUNS } from './page-runs.js';
import type { Answers } from './questions.js';
import { WorkerPool } from './worker-pool.js';
import type { Task } from './worker.js';

export interface ApplyOptions {
  readonly base: State;
  /** The replayed state and what it answered; both or neither. */
  readonly replay?: State;
  readonly answers?: Answers;
  /**
   * `ram`: a file that holds a copy of the base's RAM, patched in place. `disk`: a sparse file (made if
   * missing), into which changed blocks are written at their offsets.
   */
  readonly output: { readonly ram: string; readonly disk: string };
  /** What an earlier applier already brought into these outputs, when continuing. */
  readonly applied?: { readonly ram: PageRuns; readonly disk: PageRuns };
}

export interface AppliedResidue {
  readonly ram: PageRuns;
  readonly disk: PageRuns;
  readonly counts: ResidueCounts;
}

/** The destination's side of a residue. Frames come from the peer and are checked before they count. */
export class ResidueApplier implements AsyncDisposable {
  readonly #pool = new WorkerPool(1); // one thread: frames are applied in order, state stays on it
  #last: Promise<unknown> = Promise.resolve();
  #closed = false;

  private constructor() {
    // Made by open(), which can wait.
  }

  /** @internal Appliers come from {@link Differ.applyResidue}. */
  static async open(options: ApplyOptions): Promise<ResidueApplier> {
    const applier = new ResidueApplier();
    const { base, replay, answers, output, applied } = options;
    try {
      await applier.#pool.run({
        kind: 'decoder-open',
        arguments: [
          base,
          replay ?? null,
          answers?.locations ?? NO_RUNS,
          output,
          applied ?? { ram: NO_RUNS, disk: NO_RUNS },
        ],
      });
      return applier;
    } catch (error) {
      await applier.close();
      throw error;
    }
  }

  /**
   * Applies one frame; calls queue up in order. Throws FRAME_CORRUPT, FRAME_OUT_OF_ORDER,
   * FRAME_UNSUPPORTED: nothing of that frame was written, and only a frame that starts a stream (a new
   * {@link ResiduePlan.encode} with `applied`) is taken from then on.
   */
  apply(frame: Uint8Array): Promise<void> {
    return this.#call({ kind: 'decoder-apply', frame }) as Promise<void>;
  }

  /** What the outputs hold so far: to journal, and to continue from. */
  async applied(): Promise<AppliedResidue> {
    return describe((await this.#call({ kind: 'decoder-report', flush: false })) as AppliedPages);
  }

  /** Flushes the outputs to stable storage and says what they hold. */
  async finish(): Promise<AppliedResidue> {
    return describe((await this.#call({ kind: 'decoder-report', flush: true })) as AppliedPages);
  }

  async close(): Promise<void> {
    if (this.#closed) return this.#pool.close();
    this.#closed = true;
    await this.#last.catch(() => undefined);
    await this.#pool.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #call(task: Task): Promise<unknown> {
    if (this.#closed) {
      return Promise.reject(
        new DifferError('CLOSED', 'The applier is closed. Open a new one on the same outputs.'),
      );
    }
    const call = this.#pool.run(task);
    this.#last = call.catch(() => undefined);
    return call;
  }
}

function describe(pages: AppliedPages): AppliedResidue {
  return {
    ram: pages.ram,
    disk: pages.disk,
    counts: {
      ram: travelledPages(pages.ramPagesByKind),
      disk: travelledPages(pages.diskPagesByKind),
    },
  };
}
