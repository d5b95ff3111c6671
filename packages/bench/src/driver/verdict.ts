import type { Estimate } from '../report/estimate.js';

/** Of the better of the others, that the median of ours reaches at least. */
const LEAST_RATIO = 0.97;
/** Of its throughput, that tracking may cost at most. */
const MOST_TRACKING = 0.03;

/**
 * How a goal stands. `shown`: the whole interval meets it. `met`: the median does, the interval reaches beyond.
 * `open`: the median misses it, the interval reaches it. `missed`: neither does.
 */
export type Standing = 'shown' | 'met' | 'open' | 'missed';

export interface Verdict {
  /** As fast as the better of the others: the interval reaches it, and the median is at least 0.97 of it. */
  readonly speed: Standing;
  /** Tracking costs under 3 %. */
  readonly tracking: Standing;
}

export function verdict(ratio: Estimate, cost: Estimate): Verdict {
  return { speed: speedStanding(ratio), tracking: trackingStanding(cost) };
}

function speedStanding({ median, low, high }: Estimate): Standing {
  if (low >= 1) return 'shown';
  if (median >= LEAST_RATIO && high >= 1) return 'met';
  return high >= 1 ? 'open' : 'missed';
}

function trackingStanding({ median, low, high }: Estimate): Standing {
  if (high < MOST_TRACKING) return 'shown';
  if (median < MOST_TRACKING) return 'met';
  return low < MOST_TRACKING ? 'open' : 'missed';
}

/** The worst of several. */
export function worst(standings: readonly Standing[]): Standing {
  const order: readonly Standing[] = ['missed', 'open', 'met', 'shown'];
  return order.find((standing) => standings.includes(standing)) ?? 'open';
}
