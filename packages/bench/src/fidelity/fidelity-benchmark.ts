import { readFile, rename, writeFile } from 'node:fs/promises';

import { createRunDirectory } from '../fixture/index.js';

import { FidelityLaboratory, originalPacing, type FidelityRun } from './fidelity-run.js';
import { fidelitySessions } from './sessions.js';

export const fidelitySessionNames = fidelitySessions.map(({ session }) => session.name);

export interface FidelityBenchmarkOptions {
  readonly sessions: readonly string[];
  readonly runs: number;
  /** What was measured so far, kept after each run; a benchmark that was cut off goes on from there. */
  readonly file: string | undefined;
  readonly signal: AbortSignal;
  readonly onProgress: (text: string) => void;
}

export interface FidelityResult {
  readonly version: 1;
  readonly sessions: readonly SessionFidelity[];
}

export interface SessionFidelity {
  readonly name: string;
  readonly runs: number;
  /** Of the runs: how many ended so. */
  readonly sameScreen: number;
  readonly sameFiles: number;
  /** Medians. */
  readonly replaySeconds: number;
  readonly sessionSeconds: number;
  readonly residueRatioToOriginalPacing: number;
  /** Every run, the one at the original pacing first. */
  readonly all: readonly FidelityRun[];
}

/** Replays each session once at its original pacing, then `runs` times at the default pacing. */
export async function runFidelityBenchmark(
  options: FidelityBenchmarkOptions,
): Promise<FidelityResult> {
  const done = await readEarlier(options.file);
  await using directory = await createRunDirectory();
  for (const subject of fidelitySessions) {
    const { name } = subject.session;
    if (!options.sessions.includes(name)) continue;
    const runs = [...(done.get(name) ?? [])];
    done.set(name, runs);
    if (runs.length > options.runs) continue;
    const onProgress = (text: string) => {
      options.onProgress(`${name}: ${text}`);
    };
    await using laboratory = await FidelityLaboratory.open(subject, {
      ...{ directory: directory.path, signal: options.signal, onProgress },
    });
    while (runs.length <= options.runs) {
      options.signal.throwIfAborted();
      onProgress(runs.length === 0 ? 'at its original pacing' : `run ${String(runs.length)}`);
      runs.push(await laboratory.run(runs.length === 0 ? originalPacing : undefined));
      await keep(options.file, summarize(done));
    }
  }
  return summarize(done);
}

function summarize(done: ReadonlyMap<string, readonly FidelityRun[]>): FidelityResult {
  const sessions = [...done].flatMap(([name, all]): SessionFidelity[] => {
    const [original, ...runs] = all;
    if (original === undefined) return [];
    const residue = median(runs.map(({ residueBytes }) => residueBytes));
    return [
      {
        ...{ name, runs: runs.length, all },
        sameScreen: runs.filter(({ sameScreen }) => sameScreen).length,
        sameFiles: runs.filter(({ sameFiles }) => sameFiles).length,
        replaySeconds: median(runs.map(({ replaySeconds }) => replaySeconds)),
        sessionSeconds: original.sessionSeconds,
        residueRatioToOriginalPacing: residue / original.residueBytes,
      },
    ];
  });
  return { version: 1, sessions };
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}

async function readEarlier(file: string | undefined): Promise<Map<string, FidelityRun[]>> {
  if (file === undefined) return new Map();
  const text = await readFile(file, 'utf8').catch(() => undefined);
  if (text === undefined) return new Map();
  const earlier = JSON.parse(text) as Partial<FidelityResult>;
  if (earlier.version !== 1 || earlier.sessions === undefined) {
    throw new Error(`${file} holds something else. Give --json another file, or move it away.`);
  }
  return new Map(earlier.sessions.map(({ name, all }) => [name, [...all]]));
}

async function keep(file: string | undefined, result: FidelityResult): Promise<void> {
  if (file === undefined) return;
  await writeFile(`${file}.partial`, `${JSON.stringify(result, undefined, 2)}\n`);
  await rename(`${file}.partial`, file);
}

export function fidelityTable({ sessions }: FidelityResult): string {
  const rows = sessions.map((s) => [
    s.name,
    `${String(s.sameScreen)}/${String(s.runs)}`,
    `${String(s.sameFiles)}/${String(s.runs)}`,
    `${s.replaySeconds.toFixed(1)} of ${s.sessionSeconds.toFixed(1)} s`,
    s.residueRatioToOriginalPacing.toFixed(3),
  ]);
  return [['session', 'same screen', 'same files', 'replay', 'residue ratio'], ...rows]
    .map((row) => row.map((cell, i) => cell.padEnd([20, 13, 12, 20, 0][i] ?? 0)).join(''))
    .join('\n');
}
