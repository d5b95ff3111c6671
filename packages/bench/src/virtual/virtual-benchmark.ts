import { join } from 'node:path';

import { measureInputLatency, type InputLatency } from '@reprise/core';

import {
  createRunDirectory,
  createScratchDirectory,
  fixtureDirectory,
  seededPair,
} from '../fixture/index.js';
import { commit } from '../measure/host-facts.js';

import { inLanes } from './lanes.js';
import { appendResult, readResults, type FinishedRun, type ResultLine } from './results.js';
import { virtualSessionNamed, type VirtualSession } from './sessions.js';
import { SharedLoad } from './shared-load.js';
import { runSlowdownPair } from './slowdown.js';
import { subjectOf } from './subject.js';
import { summarize, type VirtualSummary } from './summary.js';
import { latencyVerdict, verdictsOf, type Verdict } from './verdicts.js';
import { runInVirtualTime, runUnderHostClock, type RunOptions } from './virtual-run.js';
import { startWebServer } from './web-server.js';

export interface VirtualBenchmarkOptions {
  readonly sessions: readonly string[];
  /** Of each short session; every second one under load. A long one is played once. */
  readonly runs: number;
  /** Runs at a time. */
  readonly jobs: number;
  /** Pairs of builds that tell how much slower the guest is; 0: that is left out. */
  readonly pairs: number;
  /** Finished runs are appended here, and those that it holds are not run again. Default: in the cache. */
  readonly results?: string;
  readonly bytesPerSecond: number;
  readonly signal: AbortSignal;
  readonly onProgress: (text: string) => void;
}

export interface VirtualBenchmark {
  readonly version: 2;
  /** The checkout; results are those of this very build. */
  readonly commit: string | undefined;
  readonly bytesPerSecond: number;
  readonly sessions: readonly VirtualSummary[];
  /** Between a viewer's event and the guest having it. */
  readonly latency: InputLatency;
  readonly verdicts: readonly Verdict[];
}

/** The session whose build is timed. */
const SLOWDOWN_SESSION = 'terminal';
/** Runs of each session whose sides are compared byte by byte. */
const COMPARED_RUNS = 2;
const LATENCY_GUEST = 'desktop';

/** A piece of work that leaves a line in the results. */
interface Job {
  readonly kind: FinishedRun['kind'];
  readonly session: VirtualSession;
  readonly run: number;
  readonly loaded: boolean;
  /** Needs the host for itself: its seconds count. */
  readonly alone: boolean;
}

/**
 * Plays and migrates sessions, several at a time; then, one after the other, what is about seconds. Interrupted, it goes
 * on where it was.
 */
export async function runVirtualBenchmark(o: VirtualBenchmarkOptions): Promise<VirtualBenchmark> {
  const results = o.results ?? join(fixtureDirectory(), 'virtual-runs.jsonl');
  const sessions = o.sessions.map(virtualSessionNamed);
  const subjects = new Map<string, string>();
  for (const session of sessions) {
    subjects.set(session.name, await subjectOf(session, o.bytesPerSecond, o.signal));
  }
  const lines = (await readResults(results)).filter(
    (line) => subjects.get(line.session) === line.subject,
  );
  const jobs = jobsOf(sessions, o).filter((job) => !lines.some((line) => isOf(line, job)));
  o.onProgress(`${String(jobs.length)} runs to do, ${String(lines.length)} results kept`);
  await using directory = await createRunDirectory();
  await using web = await startWebServer();
  const load = new SharedLoad();
  const work = async (job: Job): Promise<void> => {
    const line = await perform(job, {
      ...{ load, port: web.port, directory: directory.path, benchmark: o },
      subject: subjects.get(job.session.name) ?? '',
    });
    lines.push(line);
    await appendResult(results, line);
  };
  await bootAll(jobs, directory.path, o);
  await inLanes(
    jobs.filter(({ alone }) => !alone),
    o.jobs,
    work,
  );
  await inLanes(
    jobs.filter(({ alone }) => alone),
    1,
    work,
  );
  const latency = await measureLatency(directory.path, o);
  const summaries = sessions.flatMap((session) => {
    const summary = summarize(session.name, lines);
    return summary === undefined ? [] : [{ session, summary }];
  });
  return {
    ...{ version: 2, commit: await commit(), bytesPerSecond: o.bytesPerSecond, latency },
    sessions: summaries.map(({ summary }) => summary),
    verdicts: [
      ...summaries.flatMap(({ session, summary }) => verdictsOf(session, summary)),
      ...unfinished(sessions, lines),
      latencyVerdict(latency),
    ],
  };
}

/** The long ones first, as nothing takes longer; then without load, and with it. What needs the host for itself is last. */
function jobsOf(sessions: readonly VirtualSession[], o: VirtualBenchmarkOptions): Job[] {
  const jobs: Job[] = [];
  for (const session of sessions.toSorted((a, b) => Number(b.long) - Number(a.long))) {
    const runs = session.long ? 1 : o.runs;
    for (let run = 1; run <= runs; run++) {
      const alone = run === 1 && !session.long;
      jobs.push({ kind: 'virtual', session, run, loaded: run % 2 === 0, alone });
    }
    if (!session.long) {
      jobs.push({ kind: 'host-clock', session, run: 1, loaded: false, alone: false });
    }
    if (session.name !== SLOWDOWN_SESSION) continue;
    for (let run = 1; run <= o.pairs; run++) {
      jobs.push({ kind: 'slowdown', session, run, loaded: false, alone: true });
    }
  }
  // A stable sort: sessions stay mixed as little as possible, load comes at the end.
  return jobs.toSorted((a, b) => Number(a.loaded) - Number(b.loaded));
}

function isOf(line: ResultLine, { kind, session, run }: Job): boolean {
  return line.kind === kind && line.session === session.name && line.run === run;
}

interface Place {
  readonly load: SharedLoad;
  readonly port: number;
  readonly directory: string;
  readonly subject: string;
  readonly benchmark: VirtualBenchmarkOptions;
}

/** A failure is a result: half an hour of other runs is not lost for it. Throws when the benchmark is cancelled. */
async function perform(job: Job, place: Place): Promise<ResultLine> {
  const { subject, benchmark } = place;
  const { session, run, kind } = job;
  try {
    return await performed(job, place);
  } catch (error) {
    benchmark.signal.throwIfAborted();
    const because = error instanceof Error ? error.message : String(error);
    benchmark.onProgress(`${labelOf(job)}: FAILED: ${because}`);
    return { kind: 'failed', of: kind, subject, session: session.name, run, because };
  }
}

async function performed(job: Job, place: Place): Promise<FinishedRun> {
  const { benchmark, load, port, directory, subject } = place;
  const { session, run, loaded, alone } = job;
  const { bytesPerSecond, signal, onProgress } = benchmark;
  const options: RunOptions = {
    ...{ subject, name: session.name, run, session: session.script(port), directory },
    ...{ network: session.network, bytesPerSecond, signal },
    onProgress: (text) => {
      onProgress(`${labelOf(job)}: ${text}`);
    },
  };
  switch (job.kind) {
    case 'virtual': {
      const finished = await runInVirtualTime({
        ...{ ...options, alone, load: loaded ? load : undefined },
        compared: run <= COMPARED_RUNS,
        measuresOthers: run === Math.min(COMPARED_RUNS, session.long ? 1 : benchmark.runs),
      });
      const exact = finished.exact ? 'identical' : `NOT identical (${finished.notes.join(' ')})`;
      options.onProgress(`${exact}, ${String(finished.bytesTotal)} bytes`);
      return finished;
    }
    case 'host-clock':
      return await runUnderHostClock(options);
    case 'slowdown':
      return await runSlowdownPair(options);
  }
}

function labelOf({ kind, session, run, loaded }: Job): string {
  const how = { virtual: '', 'host-clock': " under the host's clock", slowdown: ' slowdown' };
  return `${session.name}${how[kind]} ${String(run)}${loaded ? ', loaded' : ''}`;
}

/** What several lanes start from is booted once, before they do. */
async function bootAll(
  jobs: readonly Job[],
  directory: string,
  { signal, onProgress }: VirtualBenchmarkOptions,
): Promise<void> {
  const booted = new Set<string>();
  for (const { kind, session } of jobs) {
    const { guest } = session.script(0);
    const network = session.network ? ('user' as const) : ('none' as const);
    const clocks =
      kind === 'slowdown'
        ? (['virtual', 'host'] as const)
        : ([kind === 'virtual' ? 'virtual' : 'host'] as const);
    for (const clock of clocks) {
      const key = `${guest}-${clock}-${network}`;
      if (booted.has(key)) continue;
      booted.add(key);
      await using scratch = await createScratchDirectory(directory, 'boot');
      await seededPair(guest, join(scratch.path, 'pair'), { clock, network, signal, onProgress });
    }
  }
}

async function measureLatency(
  directory: string,
  { signal, onProgress }: VirtualBenchmarkOptions,
): Promise<InputLatency> {
  await using scratch = await createScratchDirectory(directory, 'latency');
  const pair = await seededPair(LATENCY_GUEST, join(scratch.path, 'pair'), {
    ...{ clock: 'virtual' as const, signal, onProgress },
  });
  onProgress('measuring the latency of input');
  return await measureInputLatency(pair.a, pair.name, { signal });
}

/** Sessions of which no run came to an end. */
function unfinished(
  sessions: readonly VirtualSession[],
  lines: readonly ResultLine[],
): readonly Verdict[] {
  return sessions
    .filter(({ name }) => summarize(name, lines) === undefined)
    .map(({ name }) => ({
      session: name,
      promise: 'every run comes to an end',
      measured: lines
        .flatMap((line) => (line.kind === 'failed' && line.session === name ? [line.because] : []))
        .join('; '),
      holds: false,
    }));
}
