import { spreadOf } from '../report/statistics.js';

import type { ReplayEnd } from './laboratory.js';

/** One replay, and everything that it depended on. */
export interface FidelityRun extends ReplayEnd {
  readonly name: string;
  /** At the session's original pacing: what the others are compared with. */
  readonly original: boolean;
  /** Of the recorded user's rhythm, and of the replay's delays and the host's load; 0 at the original pacing. */
  readonly sessionSeed: number;
  readonly seed: number;
  /** While the host's CPUs were kept busy. */
  readonly loaded: boolean;
  /** The root of what was recorded, and the code that replayed it. */
  readonly recording: string;
  readonly build: string;
}

export interface SessionFidelity {
  readonly name: string;
  readonly loaded: boolean;
  readonly runs: number;
  /** Of the runs: how many ended so. */
  readonly sameScreen: number;
  readonly sameFiles: number;
  /** Medians, but for the slowest run's share of its session. */
  readonly replaySeconds: number;
  readonly sessionSeconds: number;
  readonly slowestShareOfSession: number;
  readonly idleShare: number;
  /** Of each run to the replay of the same recording at its original pacing. */
  readonly residueRatioToOriginalPacing: number | null;
  readonly originals: number;
  readonly verdicts: Readonly<Record<Claim, Verdict>>;
}

export const claims = ['screen', 'files', 'time', 'residue'] as const;
export type Claim = (typeof claims)[number];
/** `open`: too few runs to say. `none`: the claim is not about this session. */
export type Verdict = 'holds' | 'fails' | 'open' | 'none';

export interface FidelityResult {
  readonly version: 2;
  /** The build that `sessions` is about: runs of another one, or of another recording, are kept, and not counted. */
  readonly build: string;
  readonly sessions: readonly SessionFidelity[];
  readonly runs: readonly FidelityRun[];
}

/** A session of which `recordings` are the current ones. */
export interface Measured {
  readonly name: string;
  readonly loaded: boolean;
  readonly recordings: ReadonlySet<string>;
}

const RUNS = 20;
const ORIGINALS = 3;
const MOST_OF_SESSION = 0.5;
const MOST_RESIDUE = 1.15;

/** The runs of this build and these recordings: what counts. */
export function currentRuns(
  runs: readonly FidelityRun[],
  { name, loaded, recordings }: Measured,
  build: string,
): { readonly replays: readonly FidelityRun[]; readonly originals: readonly FidelityRun[] } {
  const own = runs.filter(
    (run) => run.name === name && run.build === build && recordings.has(run.recording),
  );
  return {
    replays: own.filter((run) => !run.original && run.loaded === loaded),
    originals: own.filter(({ original }) => original),
  };
}

/** Undefined before the first run. */
export function summarize(
  all: readonly FidelityRun[],
  measured: Measured,
  build: string,
): SessionFidelity | undefined {
  const { replays, originals } = currentRuns(all, measured, build);
  if (replays.length === 0) return undefined;
  const middle = (of: (run: FidelityRun) => number) => spreadOf(replays.map(of)).median;
  const shares = replays.map(({ replaySeconds, sessionSeconds }) => replaySeconds / sessionSeconds);
  const ratios = replays.flatMap((run) => {
    const same = originals.filter(({ recording }) => recording === run.recording);
    if (same.length === 0) return [];
    return [run.residueBytes / spreadOf(same.map(({ residueBytes }) => residueBytes)).median];
  });
  const summary = {
    ...{ name: measured.name, loaded: measured.loaded, runs: replays.length },
    sameScreen: replays.filter(({ sameScreen }) => sameScreen).length,
    sameFiles: replays.filter(({ sameFiles }) => sameFiles).length,
    replaySeconds: middle(({ replaySeconds }) => replaySeconds),
    sessionSeconds: middle(({ sessionSeconds }) => sessionSeconds),
    slowestShareOfSession: Math.max(...shares),
    idleShare: middle(({ idleShare }) => idleShare),
    residueRatioToOriginalPacing: ratios.length === 0 ? null : spreadOf(ratios).median,
    originals: originals.length,
  };
  return { ...summary, verdicts: judge(summary) };
}

function judge(s: Omit<SessionFidelity, 'verdicts'>): Record<Claim, Verdict> {
  // One that went wrong decides at once; that all went right is known in the end.
  const everyRun = (holds: boolean): Verdict => {
    if (!holds) return 'fails';
    return s.runs < RUNS ? 'open' : 'holds';
  };
  const ratio = s.residueRatioToOriginalPacing;
  const residue = (): Verdict => {
    if (ratio === null || s.originals < ORIGINALS || s.runs < RUNS) return 'open';
    return ratio <= MOST_RESIDUE ? 'holds' : 'fails';
  };
  return {
    screen: everyRun(s.sameScreen === s.runs),
    files: everyRun(s.sameFiles === s.runs),
    time:
      s.idleShare < 1 - MOST_OF_SESSION
        ? 'none'
        : everyRun(s.slowestShareOfSession <= MOST_OF_SESSION),
    residue: residue(),
  };
}
