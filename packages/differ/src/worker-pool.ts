import { Piscina } from 'piscina';
import { DifferError, fromNative } from './errors.js';
import type { NativeAddon } from './native.js';
import type { Task, TaskResult } from './worker.js';

type Kernel = Extract<Task, { kind: 'kernel' }>['name'];
type Parameters_<K extends Kernel> = Parameters<NativeAddon[K]>;
type Result<K extends Kernel> = ReturnType<NativeAddon[K]>;

// Under a test runner this module is TypeScript source; workers always run what was built.
const workerFile = new URL(
  import.meta.url.endsWith('.ts') ? '../dist/worker.js' : './worker.js',
  import.meta.url,
).href;

/** A worker runs one task after the other; the next one lies ready there, so that it never waits for this thread. */
const AT_ONCE = 2;

/** Worker threads that run native kernels. Batches are short, so cancellation happens between them. */
export class WorkerPool {
  readonly threads: number;
  readonly #piscina: Piscina<Task, TaskResult>;
  #closing: Promise<void> | undefined;

  constructor(threads: number) {
    this.threads = threads;
    this.#piscina = new Piscina<Task, TaskResult>({
      filename: workerFile,
      minThreads: 0,
      maxThreads: threads,
      // A stateful object's only thread must outlive its pauses; close() ends the threads.
      idleTimeout: threads === 1 ? Infinity : 10_000,
      concurrentTasksPerWorker: AT_ONCE,
    });
  }

  /** @param given Memory that the task takes along: nobody else has it afterwards. */
  async run(task: Task, given: readonly ArrayBuffer[] = []): Promise<unknown> {
    if (this.#closing !== undefined) {
      throw new DifferError('CLOSED', 'The differ is closed. Make a new one.');
    }
    const result = await this.#piscina.run(task, { transferList: [...given] });
    if ('value' in result) return result.value;
    const error = new Error(result.error.message);
    if (result.error.code !== undefined) Object.assign(error, { code: result.error.code });
    throw fromNative(error);
  }

  kernel<K extends Kernel>(name: K, ...parameters: Parameters_<K>): Promise<Result<K>> {
    return this.run({ kind: 'kernel', name, arguments: parameters }) as Promise<Result<K>>;
  }

  /** The same, where the kernel uses up the memory of some of its parameters. */
  kernelGiven<K extends Kernel>(
    given: readonly Uint8Array[],
    name: K,
    ...parameters: Parameters_<K>
  ): Promise<Result<K>> {
    const buffers = given.map(({ buffer }) => buffer as ArrayBuffer);
    return this.run({ kind: 'kernel', name, arguments: parameters }, buffers) as Promise<Result<K>>;
  }

  /**
   * Runs one job a range of `[0, total)`, as many at a time as keep the threads busy, and returns the
   * results in order. Stops before the next batch when `signal` aborts or a job fails.
   */
  async ranges<T>(
    total: number,
    batch: number,
    job: (first: number, count: number) => Promise<T>,
    options: { signal?: AbortSignal | undefined; onBatch?: (done: number) => void } = {},
  ): Promise<T[]> {
    const results: T[] = new Array<T>(Math.ceil(total / batch));
    let next = 0;
    let done = 0;
    let failed = false;
    const lane = async (): Promise<void> => {
      while (next < total && !failed) {
        options.signal?.throwIfAborted();
        const first = next;
        next += batch;
        const count = Math.min(batch, total - first);
        try {
          results[first / batch] = await job(first, count);
        } catch (error) {
          failed = true;
          throw error;
        }
        done += count;
        options.onBatch?.(done);
      }
    };
    const lanes = await Promise.allSettled(Array.from({ length: AT_ONCE * this.threads }, lane));
    const broken = lanes.find((result) => result.status === 'rejected');
    if (broken !== undefined) throw broken.reason;
    return results;
  }

  close(): Promise<void> {
    this.#closing ??= this.#piscina.destroy();
    return this.#closing;
  }
}
