import { measureInputLatency, type InputLatency } from '@reprise/core';

import { createRunDirectory, fixtureDirectory } from '../fixture/index.js';

import { appendRun, readRuns, summarize, type VirtualRun, type VirtualSummary } from './results.js';
import { SLOWDOWN_SESSION, virtualSessions } from './sessions.js';
import { runInVirtualTime, runPlain } from './virtual-run.js';

export interface VirtualBenchmarkOptions {
  readonly sessions: readonly string[];
  readonly runs: number;
  /** Finished runs are appended here, and those that it holds are not run again. Default: in the cache. */
  readonly results?: string;
  readonly bytesPerSecond: number;
  readonly signal: AbortSignal;
  readonly onProgress: (text: string) => void;
}

export interface VirtualBenchmark {
  readonly sessions: readonly VirtualSummary[];
  /** Between a viewer's event and the guest having it. */
  readonly latency: InputLatency;
}

const MOST_PLAIN_RUNS = 5;

/** Every second run is under load. Interrupted, it goes on where it was. */
export async function runVirtualBenchmark(o: VirtualBenchmarkOptions): Promise<VirtualBenchmark> {
  const results = o.results ?? `${fixtureDirectory()}/virtual-runs.jsonl`;
  const done = await readRuns(results);
  const isDone = (name: string, kind: VirtualRun['kind'], run: number) =>
    done.some((one) => one.name === name && one.kind === kind && one.run === run);
  await using directory = await createRunDirectory();
  for (const name of o.sessions) {
    const session = virtualSessions[name];
    if (session === undefined) throw new Error(`There is no session '${name}'.`);
    for (let run = 1; run <= o.runs; run++) {
      const options = { ...o, name, session, run, directory: directory.path };
      const loaded = run % 2 === 0;
      if (!isDone(name, 'virtual', run)) {
        o.onProgress(
          `${name}, run ${String(run)} of ${String(o.runs)}${loaded ? ', under load' : ''}`,
        );
        const finished = await runInVirtualTime({ ...options, loaded, compare: run === 1 });
        await appendRun(results, finished);
        done.push(finished);
      }
      if (name === SLOWDOWN_SESSION && run <= MOST_PLAIN_RUNS && !isDone(name, 'plain', run)) {
        o.onProgress(`${name}, under the host's clock, for its CPU time`);
        const finished = await runPlain({ ...options, loaded: false, compare: false });
        await appendRun(results, finished);
        done.push(finished);
      }
    }
  }
  o.onProgress('measuring the latency of input');
  return {
    sessions: o.sessions.map((name) => summarize(name, done)),
    latency: await measureInputLatency(o.signal),
  };
}
