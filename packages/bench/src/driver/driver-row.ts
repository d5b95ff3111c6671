import type { ContenderName } from './contender.js';
import { estimateMedian, estimateShift, type Estimate } from '../report/estimate.js';
import type { TrackingPair } from './tracking-pairs.js';
import { verdict, type Verdict } from './verdict.js';
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
  /** The one of the others with the greater median. */
  readonly best: 'qemuNbd' | 'nbdkit';
  /** Median of ours / best, round by round, with its 95 % interval. */
  readonly ratioToBest: number;
  readonly ratioLow: number;
  readonly ratioHigh: number;
  /** By how much tracking slows this down, from pairs of their own (see `estimateShift`), with its 95 % interval. A fraction. */
  readonly trackingCost: number;
  readonly trackingLow: number;
  readonly trackingHigh: number;
  /** Median absolute deviation of each contender's figures over their median: how quiet it was. */
  readonly spread: Readonly<Record<ContenderName, number>>;
  readonly verdict: Verdict;
  readonly samples: Samples;
  readonly pairs: readonly TrackingPair[];
}

export function driverRow(
  workload: Workload,
  samples: Samples,
  pairs: readonly TrackingPair[],
): DriverRow {
  const median = (name: ContenderName): number => estimateMedian(samples[name]).median;
  const best = median('qemuNbd') >= median('nbdkit') ? 'qemuNbd' : 'nbdkit';
  const ratio = pairwise(samples.ours, samples[best], (ours, other) => ours / other);
  const cost = costOf(pairs);
  return {
    name: workload.name,
    figure: workload.figure,
    ours: median('ours'),
    qemuNbd: median('qemuNbd'),
    nbdkit: median('nbdkit'),
    best,
    ...{ ratioToBest: ratio.median, ratioLow: ratio.low, ratioHigh: ratio.high },
    ...{ trackingCost: cost.median, trackingLow: cost.low, trackingHigh: cost.high },
    spread: {
      ours: deviation(samples.ours),
      qemuNbd: deviation(samples.qemuNbd),
      nbdkit: deviation(samples.nbdkit),
    },
    verdict: verdict(ratio, cost),
    samples,
    pairs,
  };
}

/** Of logarithms, so that a pair and the same pair the other way round cancel out. */
function costOf(pairs: readonly TrackingPair[]): Estimate {
  const { median, low, high } = estimateShift(
    pairs.map(({ tracked, untracked }) => Math.log(tracked / untracked)),
  );
  return { median: 1 - Math.exp(median), low: 1 - Math.exp(high), high: 1 - Math.exp(low) };
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
