import type { ContenderName } from './contender.js';
import { estimateMedian, type Estimate } from './estimate.js';
import type { Workload } from './workload.js';

/** Figures of one workload, one a round and contender. */
export type Samples = Readonly<Record<ContenderName, readonly number[]>>;

/** One line of the result. Figures are medians, in the workload's own unit. */
export interface DriverRow {
  readonly name: string;
  readonly figure: Workload['figure'];
  readonly ours: number;
  readonly qemuNbd: number;
  readonly nbdkit: number;
  readonly untracked: number;
  /** The one of the others with the greater median. */
  readonly best: 'qemuNbd' | 'nbdkit';
  /** Median of ours / best, round by round, with its 95 % interval. */
  readonly ratioToBest: number;
  readonly ratioLow: number;
  readonly ratioHigh: number;
  /** Median of 1 - ours / untracked, round by round, with its 95 % interval. A fraction. */
  readonly trackingCost: number;
  readonly trackingLow: number;
  readonly trackingHigh: number;
  /** Median absolute deviation of each contender's figures over their median: how quiet it was. */
  readonly spread: Readonly<Record<ContenderName, number>>;
  readonly samples: Samples;
}

export function driverRow(workload: Workload, samples: Samples): DriverRow {
  const median = (name: ContenderName): number => estimateMedian(samples[name]).median;
  const best = median('qemuNbd') >= median('nbdkit') ? 'qemuNbd' : 'nbdkit';
  const ratio = pairwise(samples.ours, samples[best], (ours, other) => ours / other);
  const cost = pairwise(samples.ours, samples.untracked, (ours, other) => 1 - ours / other);
  return {
    name: workload.name,
    figure: workload.figure,
    ours: median('ours'),
    qemuNbd: median('qemuNbd'),
    nbdkit: median('nbdkit'),
    untracked: median('untracked'),
    best,
    ...{ ratioToBest: ratio.median, ratioLow: ratio.low, ratioHigh: ratio.high },
    ...{ trackingCost: cost.median, trackingLow: cost.low, trackingHigh: cost.high },
    spread: {
      ours: deviation(samples.ours),
      untracked: deviation(samples.untracked),
      qemuNbd: deviation(samples.qemuNbd),
      nbdkit: deviation(samples.nbdkit),
    },
    samples,
  };
}

/** Within a round, because what disturbs one contender then disturbs the next one too. */
function pairwise(
  a: readonly number[],
  b: readonly number[],
  relate: (a: number, b: number) => number,
): Estimate {
  return estimateMedian(a.map((value, round) => relate(value, b[round] ?? Number.NaN)));
}

function deviation(values: readonly number[]): number {
  const { median } = estimateMedian(values);
  return estimateMedian(values.map((value) => Math.abs(value - median))).median / median;
}
