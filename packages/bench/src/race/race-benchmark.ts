import { readFile, rename, writeFile } from 'node:fs/promises';

import { parseRate, type MigrationReport } from '@reprise/core';

import { recordingOf } from '../bytes/recording.js';
import { createRunDirectory } from '../fixture/index.js';

import { behaviours, type Behaviour } from './behaviour.js';
import { tinyCopies } from './session.js';
import { runTrial, type Trial, type TrialOptions } from './trial-run.js';

export const raceLinks = ['1mbit', '5mbit', '25mbit', '100mbit'] as const;
export type RaceLink = (typeof raceLinks)[number];

export interface RaceBenchmarkOptions {
  readonly links: readonly RaceLink[];
  readonly replays: readonly Behaviour[];
  /** What was measured so far, kept after each case; a benchmark that was cut off goes on from there. */
  readonly file: string | undefined;
  readonly signal: AbortSignal;
  readonly onProgress: (text: string) => void;
}

export interface RaceCase {
  readonly link: RaceLink;
  readonly replay: Behaviour;
  /** Of the migration with `--optimize time`, and to the faster one of shipping alone and replay alone. */
  readonly seconds: number;
  readonly timeRatioToBest: number;
  /** With `--optimize bytes`, and to what shipping alone sends; a replay that hangs is not waited for here. */
  readonly bytes: number | null;
  readonly bytesRatioToShipping: number | null;
  /** What the plan chose where time counts, and whether the replay was stopped. */
  readonly strategy: string;
  readonly outcome: string | null;
  readonly shipSeconds: number;
  readonly shipBytes: number;
  readonly replaySeconds: number | null;
  /** Both fronts over time. */
  readonly fronts: NonNullable<MigrationReport['race']>;
}

export interface RaceResult {
  readonly version: 1;
  readonly cases: readonly RaceCase[];
}

/** Each link with each behaviour of the replay: shipping alone, replay alone, and the race. */
export async function runRaceBenchmark(options: RaceBenchmarkOptions): Promise<RaceResult> {
  const { signal, onProgress } = options;
  const cases = await readEarlier(options.file);
  await using directory = await createRunDirectory();
  const recording = await recordingOf(tinyCopies, { signal, onProgress });
  for (const link of options.links) {
    const trial = (o: Pick<TrialOptions, 'behaviour' | 'strategy' | 'optimize'>) =>
      runTrial({
        ...{ recording, directory: directory.path, bytesPerSecond: parseRate(link), signal },
        ...o,
      });
    let shipping: Trial | undefined;
    for (const behaviour of options.replays) {
      if (cases.some((one) => one.link === link && one.replay === behaviour)) continue;
      const tell = (what: string) => {
        onProgress(`${link}, ${behaviour} replay: ${what}`);
      };
      if (shipping === undefined) tell('shipping alone');
      shipping ??= await trial({ behaviour, strategy: 'ship', optimize: 'time' });
      let replaying: Trial | undefined;
      if (behaviour !== 'hanging') {
        tell('replay alone');
        replaying = await trial({ behaviour, strategy: 'replay', optimize: 'bytes' });
      }
      tell('the race');
      const race = await trial({ behaviour, strategy: 'auto', optimize: 'time' });
      cases.push(describeCase({ link, replay: behaviour }, shipping, replaying, race));
      await keep(options.file, { version: 1, cases });
    }
  }
  return { version: 1, cases };
}

function describeCase(
  which: Pick<RaceCase, 'link' | 'replay'>,
  shipping: Trial,
  replaying: Trial | undefined,
  race: Trial,
): RaceCase {
  const best = Math.min(shipping.seconds, replaying?.seconds ?? Infinity);
  const shipBytes = shipping.report.bytes.total;
  const bytes = replaying?.report.bytes.total;
  return {
    ...which,
    seconds: race.seconds,
    timeRatioToBest: race.seconds / best,
    bytes: bytes ?? null,
    bytesRatioToShipping: bytes === undefined ? null : bytes / shipBytes,
    strategy: race.report.strategy,
    outcome: race.report.replay?.outcome ?? null,
    shipSeconds: shipping.seconds,
    shipBytes,
    replaySeconds: replaying?.seconds ?? null,
    fronts: race.report.race ?? [],
  };
}

export function raceTable({ cases }: RaceResult): string {
  const seconds = (value: number | null) => (value === null ? '-' : `${value.toFixed(1)} s`);
  const rows = cases.map((one) => [
    one.link,
    one.replay,
    seconds(one.shipSeconds),
    seconds(one.replaySeconds),
    `${seconds(one.seconds)} (${one.strategy}${one.outcome === null ? '' : `, ${one.outcome}`})`,
    one.timeRatioToBest.toFixed(2),
    one.bytesRatioToShipping?.toFixed(2) ?? '-',
  ]);
  const head = [
    'link',
    'replay',
    'shipping',
    'replay alone',
    'race',
    'to best',
    'bytes to shipping',
  ];
  const widths = [10, 12, 11, 14, 28, 9, 0];
  return [head, ...rows]
    .map((row) => row.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join(''))
    .join('\n');
}

async function readEarlier(file: string | undefined): Promise<RaceCase[]> {
  if (file === undefined) return [];
  const text = await readFile(file, 'utf8').catch(() => '');
  if (text === '') return [];
  const { version, cases } = JSON.parse(text) as RaceResult;
  const known = cases.every(
    ({ link, replay }) => raceLinks.includes(link) && behaviours.includes(replay),
  );
  if ((version as number) === 1 && known) return [...cases];
  throw new Error(`${file} is not of this benchmark. Move it away, then try again.`);
}

async function keep(file: string | undefined, result: RaceResult): Promise<void> {
  if (file === undefined) return;
  await writeFile(`${file}.partial`, `${JSON.stringify(result, undefined, 2)}\n`);
  await rename(`${file}.partial`, file);
}
