import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { encodePng, RecordedGaps, type PacingStrategy } from '@reprise/core';

import { createRunDirectory } from '../fixture/index.js';
import { buildDigest } from '../measure/build-digest.js';
import { keepResult, readResult } from '../report/results-file.js';

import { FidelityLaboratory, type ReplayEnd } from './laboratory.js';
import {
  currentRuns,
  summarize,
  type FidelityResult,
  type FidelityRun,
  type Measured,
} from './results.js';
import { seededLoad } from './seeded-load.js';
import { SeededEvidence } from './seeded-replay.js';
import { fidelitySessions, type FidelitySession } from './sessions.js';

export const fidelitySessionNames = fidelitySessions.map(({ session }) => session.name);

export interface FidelityBenchmarkOptions {
  readonly sessions: readonly string[];
  /** Of each session, at the default pacing. */
  readonly runs: number;
  /** Each session is recorded with so many seeds; the runs take turns on them. */
  readonly recordings: number;
  readonly loaded: boolean;
  /** What was measured so far, kept after each run; a benchmark that was cut off goes on from there. */
  readonly file: string | undefined;
  /** Where to put the last screens of runs that ended on another one. */
  readonly screens: string | undefined;
  readonly signal: AbortSignal;
  readonly onProgress: (text: string) => void;
}

/** Every gap as it was: what faster replays are compared with. */
const originalPacing: PacingStrategy = new RecordedGaps({ thinkTimeCapMs: Infinity });

/** Distance of the seeds of one session's recordings. */
const NEXT_RECORDING = 10_000;

/** Replays each recording of each session once at its original pacing, then as often as asked for at the default pacing. */
export async function runFidelityBenchmark(
  options: FidelityBenchmarkOptions,
): Promise<FidelityResult> {
  const runs = [...((await readResult<FidelityResult>(options.file, 2))?.runs ?? [])];
  const build = await buildDigest();
  const measured: (Measured & { recordings: Set<string> })[] = [];
  const result = (): FidelityResult => ({
    ...{ version: 2, build, runs },
    sessions: measured.flatMap((one) => summarize(runs, one, build) ?? []),
  });
  await using directory = await createRunDirectory();
  for (const subject of fidelitySessions) {
    const { name } = subject.session;
    if (!options.sessions.includes(name)) continue;
    const recordings = new Set<string>();
    const session = { name, loaded: options.loaded, recordings };
    measured.push(session);
    for (let i = 0; i < options.recordings; i++) {
      await measureRecording(reseeded(subject, i), i, {
        ...{ options, session, build, runs, directory: directory.path },
        kept: () => keepResult(options.file, result()),
      });
    }
  }
  return result();
}

interface Laboratory {
  readonly options: FidelityBenchmarkOptions;
  readonly session: Measured & { readonly recordings: Set<string> };
  readonly build: string;
  readonly runs: FidelityRun[];
  readonly directory: string;
  readonly kept: () => Promise<void>;
}

async function measureRecording(
  subject: FidelitySession,
  number: number,
  { options, session, build, runs, directory, kept }: Laboratory,
): Promise<void> {
  const { signal, loaded } = options;
  const { name, seed: sessionSeed } = subject.session;
  const onProgress = (text: string) => {
    options.onProgress(`${name}, seed ${String(sessionSeed)}: ${text}`);
  };
  let screens: Parameters<typeof keepScreens>[1] | undefined;
  await using laboratory = await FidelityLaboratory.open(subject, {
    ...{ directory, signal, onProgress },
    onScreens: (replayed, original) => (screens = { replayed, original }),
  });
  const recording = laboratory.recordingRoot;
  session.recordings.add(recording);
  const done = () => {
    const { replays, originals } = currentRuns(runs, session, build);
    const own = (of: readonly FidelityRun[]) => of.filter((run) => run.recording === recording);
    return { seeds: new Set(own(replays).map(({ seed }) => seed)), originals: own(originals) };
  };
  const add = async (original: boolean, seed: number) => {
    signal.throwIfAborted();
    onProgress(original ? 'at its original pacing' : `run ${String(seed)}`);
    await using _load = loaded && !original ? seededLoad(seed) : undefined;
    const end = await laboratory.run(original ? originalPacing : new SeededEvidence(seed));
    const about = { name, original, sessionSeed, seed, loaded: loaded && !original };
    runs.push({ ...about, recording, build, ...end });
    if (!end.sameScreen && options.screens !== undefined && screens !== undefined) {
      const prefix = `${name}-${String(sessionSeed)}-${original ? 'original' : String(seed)}`;
      await keepScreens(join(options.screens, prefix), screens);
    }
    onProgress(said(end));
    await kept();
  };
  if (done().originals.length === 0) await add(true, 0);
  // Run i is always with recording i, whatever was cut off before.
  for (let seed = 1 + number; seed <= options.runs; seed += options.recordings) {
    if (!done().seeds.has(seed)) await add(false, seed);
  }
}

function reseeded(subject: FidelitySession, number: number): FidelitySession {
  const { session } = subject;
  return { ...subject, session: { ...session, seed: session.seed + number * NEXT_RECORDING } };
}

function said({ sameScreen, sameFiles, otherFiles, replaySeconds }: ReplayEnd) {
  const screen = sameScreen ? 'the same screen' : 'ANOTHER SCREEN';
  const files = sameFiles ? 'the same files' : `OTHER FILES (${otherFiles.join(', ')})`;
  return `${screen}, ${files}, ${replaySeconds.toFixed(1)} s`;
}

async function keepScreens(
  prefix: string,
  { replayed, original }: Record<'replayed' | 'original', Parameters<typeof encodePng>[0]>,
): Promise<void> {
  await writeFile(`${prefix}-replayed.png`, encodePng(replayed));
  await writeFile(`${prefix}-session.png`, encodePng(original));
}
