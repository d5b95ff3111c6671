import { setMaxListeners } from 'node:events';
import { access, constants, writeFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';

const INTERRUPTED = 130;
const STOPPING = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** A benchmark as a command runs it. What it settles with is written as JSON. */
export type Benchmark = (
  signal: AbortSignal,
  onProgress: (text: string) => void,
) => Promise<object>;

/**
 * Runs a benchmark until it ends or a signal of the process cancels it, and writes what it gives to `json`.
 * Never throws: a failure is said on stderr, and is the process's exit code.
 */
export async function run(json: string | undefined, benchmark: Benchmark): Promise<void> {
  const cancelling = new AbortController();
  // Everything in a benchmark waits with this one: hundreds of listeners are no leak.
  setMaxListeners(0, cancelling.signal);
  const cancel = () => {
    process.stderr.write('bench: cancelling; once more ends at once and leaves files behind\n');
    cancelling.abort();
  };
  for (const name of STOPPING) process.once(name, cancel);
  const startedMs = performance.now();
  try {
    if (json !== undefined) await checkWritable(json);
    const result = await benchmark(cancelling.signal, (text) => {
      const seconds = ((performance.now() - startedMs) / 1000).toFixed(1).padStart(7);
      process.stderr.write(`${seconds} s  ${text}\n`);
    });
    if (json !== undefined) await writeFile(json, `${JSON.stringify(result, undefined, 2)}\n`);
  } catch (error) {
    const cancelled = cancelling.signal.aborted;
    process.stderr.write(`bench: ${cancelled ? 'cancelled' : describe(error)}\n`);
    process.exitCode = cancelled ? INTERRUPTED : 1;
  } finally {
    for (const name of STOPPING) process.removeListener(name, cancel);
  }
}

/** Before an hour of work, not after it. */
async function checkWritable(file: string): Promise<void> {
  const directory = dirname(resolve(file));
  try {
    await access(directory, constants.W_OK);
  } catch (cause) {
    throw new Error(`${directory} cannot be written to. Give --json a file somewhere else.`, {
      cause,
    });
  }
}

/** An error in a line. */
export function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
