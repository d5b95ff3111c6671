import { createRunDirectory } from './fixture/index.js';
import { hostFacts, type HostFacts } from './measure/host-facts.js';
import type { Clock, SessionRun } from './measure/measurement.js';
import { runSession } from './measure/session-run.js';
import { hostLine } from './report/host-line.js';
import { summarize, type SessionSummary } from './report/session-summary.js';
import { sessionTable } from './report/table.js';
import { sessionNamed } from './session/index.js';

export interface BenchmarkOptions {
  /** Names of sessions. */
  readonly sessions: readonly string[];
  readonly runs: number;
  /** Under which the sessions are played, each by itself. */
  readonly clocks: readonly Clock[];
  /** Of the link, in bytes a second each way. */
  readonly bytesPerSecond: number;
  readonly signal?: AbortSignal;
  readonly onProgress: (text: string) => void;
  /** A piece of the report, as soon as it is complete. */
  readonly onTable: (text: string) => void;
}

export interface BenchmarkResult {
  readonly version: 2;
  readonly startedAt: string;
  readonly host: HostFacts;
  readonly bytesPerSecond: number;
  readonly summaries: readonly SessionSummary[];
  readonly runs: readonly SessionRun[];
}

/** Runs sessions one after the other. Nothing stays behind but the booted guests in the cache. */
export async function runBenchmark(options: BenchmarkOptions): Promise<BenchmarkResult> {
  const { bytesPerSecond, signal, onProgress, onTable } = options;
  const startedAt = new Date().toISOString();
  const sessions = options.sessions.map(sessionNamed);
  const host = await hostFacts();
  onTable(hostLine(host));
  await using directory = await createRunDirectory();
  const runs: SessionRun[] = [];
  for (const session of sessions) {
    for (const clock of options.clocks) {
      const ofSession: SessionRun[] = [];
      for (let run = 1; run <= options.runs; run++) {
        const label = [
          session.name,
          ...(clock === 'virtual' ? ['virtual time'] : []),
          ...(options.runs > 1 ? [`run ${String(run)}`] : []),
        ].join(', ');
        ofSession.push(
          await runSession(session, {
            ...{ run, clock, bytesPerSecond, signal, directory: directory.path },
            onProgress: (text) => {
              onProgress(`${label}: ${text}`);
            },
          }),
        );
      }
      for (const summary of summarize(ofSession)) onTable(sessionTable(summary));
      runs.push(...ofSession);
    }
  }
  return { version: 2, startedAt, host, bytesPerSecond, summaries: summarize(runs), runs };
}
