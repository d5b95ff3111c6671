import { Differ, measureYardsticks, PAGE_SIZE, type Yardsticks } from '@reprise/differ';

import { runProgram } from '../baseline/index.js';
import { createRunDirectory, createScratchDirectory } from '../fixture/index.js';
import { commit, machineFacts, type MachineFacts } from '../measure/host-facts.js';
import { PeakMemory } from '../measure/peak-memory.js';
import { estimateMedian, type Estimate } from '../report/estimate.js';

import { writeMemories, type Memories } from './memory-images.js';
import { INDEX, worksOf, type Goal, type Work } from './works.js';

export interface DifferBenchmarkOptions {
  /** Of each of the two images. */
  readonly imageMiB: number;
  readonly rounds: number;
  readonly signal: AbortSignal;
  readonly onProgress: (text: string) => void;
}

/** Throughputs are GiB of what was read in a second, medians over the rounds. */
export interface DifferBenchmark {
  readonly version: 1;
  readonly startedAt: string;
  readonly host: MachineFacts;
  readonly commit: string | undefined;
  readonly imageBytes: number;
  readonly changedShare: number;
  readonly rounds: number;
  readonly memcpy: Estimate;
  readonly xxh3: Estimate;
  readonly rows: readonly DifferRow[];
  readonly programs: readonly ProgramRow[];
  /** Anonymous memory at its highest, of all rounds; mapped images are the page cache's. */
  readonly peakMemoryBytes: number;
}

export interface DifferRow {
  readonly name: string;
  readonly threads: number;
  readonly gibPerSecond: Estimate;
  readonly seconds: Estimate;
  /** Times its own throughput with one thread, round by round; null for one thread. */
  readonly scaling: Estimate | null;
  readonly goal: (Goal & { readonly ratio: Estimate; readonly holds: boolean }) | null;
}

export interface ProgramRow {
  readonly name: string;
  readonly gibPerSecond: Estimate;
  /** Our index with one thread / this program, round by round. */
  readonly indexIsTimes: Estimate;
}

const GIB = 2 ** 30;
const CHANGED_SHARE = 0.05;

interface Program {
  readonly name: string;
  readonly images: 1 | 2;
  readonly command: readonly [string, ...string[]];
}

/**
 * What a source does with memory images, against what this machine makes of the same bytes and what other programs make
 * of the same files. Everyone has a turn in every round, once what the one before wrote is on the disk; ratios are of
 * one round, and those to the machine are of one turn.
 */
export async function runDifferBenchmark(o: DifferBenchmarkOptions): Promise<DifferBenchmark> {
  const { imageMiB, rounds, signal, onProgress } = o;
  const startedAt = new Date().toISOString();
  const imageBytes = imageMiB * 2 ** 20;
  await using directory = await createRunDirectory();
  onProgress('writing two memory images');
  const images = await writeMemories(directory.path, {
    ...{ pages: imageBytes / PAGE_SIZE, changedShare: CHANGED_SHARE, signal },
  });
  await using one = differOf(1);
  await using two = differOf(2);
  const lanes: Lane[] = [];
  for (const [threads, differ] of [[1, one] as const, [2, two] as const]) {
    const scratch = await createScratchDirectory(directory.path, 'threads');
    for (const work of worksOf(differ, images, scratch.path)) {
      signal.throwIfAborted();
      await work.run(); // warms caches and threads; the plan needs the index
      lanes.push({ threads, work, seconds: [], yardsticks: [] });
    }
  }
  const programs = programsOn(images).map((program) => ({ program, seconds: [] as number[] }));
  const settle = (): Promise<unknown> =>
    runProgram('sync', ['--file-system', directory.path], { signal });
  const peak = new PeakMemory();
  try {
    for (let round = 1; round <= rounds; round++) {
      onProgress(`round ${String(round)} of ${String(rounds)}`);
      for (const { work, seconds, yardsticks } of lanes) {
        await settle();
        if (work.goal !== undefined) yardsticks.push(measureYardsticks(images.base));
        signal.throwIfAborted();
        seconds.push(await secondsOf(() => work.run()));
      }
      for (const { program, seconds } of programs) {
        const [name, ...parameters] = program.command;
        await settle();
        seconds.push(await secondsOf(() => runProgram(name, parameters, { signal })));
      }
    }
  } finally {
    peak.stop();
  }
  return {
    ...{ version: 1, startedAt, host: machineFacts(), commit: await commit() },
    ...{ imageBytes, changedShare: CHANGED_SHARE, rounds, peakMemoryBytes: peak.stop() },
    ...inRatios(imageBytes, lanes, programs),
  };
}

/** A work, how long each of its turns took, and what the machine did just before. */
interface Lane {
  readonly threads: number;
  readonly work: Work;
  readonly seconds: number[];
  /** Of works with a goal. */
  readonly yardsticks: Yardsticks[];
}

function inRatios(
  imageBytes: number,
  lanes: readonly Lane[],
  programs: readonly { readonly program: Program; readonly seconds: readonly number[] }[],
): Pick<DifferBenchmark, 'memcpy' | 'xxh3' | 'rows' | 'programs'> {
  const throughput = (images: number, seconds: readonly number[]): number[] =>
    seconds.map((one) => (images * imageBytes) / GIB / one);
  const yardsticks = lanes.flatMap((lane) => lane.yardsticks);
  const measured = lanes.map((lane) => ({
    ...{ ...lane, speeds: throughput(lane.work.images, lane.seconds) },
  }));
  const alone = (name: string): readonly number[] =>
    measured.find(({ threads, work }) => threads === 1 && work.name === name)?.speeds ?? [];
  return {
    memcpy: estimateMedian(yardsticks.map(speedOf.memcpy)),
    xxh3: estimateMedian(yardsticks.map(speedOf.xxh3)),
    rows: measured.map(({ threads, work, seconds, speeds, ...lane }) => ({
      ...{ name: work.name, threads },
      gibPerSecond: estimateMedian(speeds),
      seconds: estimateMedian(seconds),
      scaling: threads === 1 ? null : ratioOf(speeds, alone(work.name)),
      goal: work.goal === undefined ? null : judge(work.goal, speeds, lane.yardsticks),
    })),
    programs: programs.map(({ program, seconds }) => {
      const speeds = throughput(program.images, seconds);
      return {
        name: program.name,
        gibPerSecond: estimateMedian(speeds),
        indexIsTimes: ratioOf(alone(INDEX), speeds),
      };
    }),
  };
}

function differOf(threads: number): Differ {
  const fingerprint = { algorithm: 'xxh3', key: new Uint8Array(32).fill(7) } as const;
  return new Differ({ threads, fingerprint });
}

/** What other programs make of the same files. */
function programsOn({ base, target }: Memories): readonly Program[] {
  const [from, to] = [base.files[0] ?? '', target.files[0] ?? ''];
  const rsync = ['--no-whole-file', '--dry-run', '--ignore-times', '--checksum'];
  return [
    { name: 'b3sum, one thread', images: 1, command: ['b3sum', '--num-threads', '1', from] },
    { name: 'sha256sum', images: 1, command: ['sha256sum', from] },
    { name: 'rsync --checksum', images: 2, command: ['rsync', ...rsync, from, to] },
  ];
}

async function secondsOf(work: () => Promise<unknown>): Promise<number> {
  const startedMs = performance.now();
  await work();
  return (performance.now() - startedMs) / 1000;
}

/** GiB of what was read in a second. */
const speedOf: Readonly<Record<Goal['yardstick'], (measured: Yardsticks) => number>> = {
  memcpy: ({ bytes, memcpySeconds }) => bytes / GIB / memcpySeconds,
  xxh3: ({ bytes, xxh3Seconds }) => bytes / GIB / xxh3Seconds,
};

/** Round by round. */
function ratioOf(ours: readonly number[], theirs: readonly number[]): Estimate {
  return estimateMedian(ours.map((value, round) => value / (theirs[round] ?? Number.NaN)));
}

function judge(
  goal: Goal,
  speeds: readonly number[],
  yardsticks: readonly Yardsticks[],
): NonNullable<DifferRow['goal']> {
  const ratio = ratioOf(speeds, yardsticks.map(speedOf[goal.yardstick]));
  return { ...goal, ratio, holds: ratio.median >= goal.least };
}
