/** A median with an interval that holds the true one with at least 95 %. */
export interface Estimate {
  readonly median: number;
  readonly low: number;
  readonly high: number;
}

const LEFT_OUT = 0.05;

/**
 * The distribution-free interval from order statistics: between the k-th smallest and the k-th largest value
 * lies the true median, but for the chance that a fair coin shows one side in n throws less than k times.
 * Under six values the whole range is given, which holds it with less than 95 %.
 */
export function estimateMedian(values: readonly number[]): Estimate {
  if (values.length === 0) throw new RangeError('There is no median of no values.');
  const sorted = values.toSorted((a, b) => a - b);
  const n = sorted.length;
  const at = (index: number): number => sorted[index] ?? Number.NaN;
  const k = outermost(n);
  const middle = Math.floor(n / 2);
  const median = n % 2 === 1 ? at(middle) : (at(middle - 1) + at(middle)) / 2;
  return { median, low: at(k - 1), high: at(n - k) };
}

/** The largest k for which the interval still holds the median often enough; at least 1. */
function outermost(n: number): number {
  let missed = 0;
  for (let k = 1; k <= n / 2; k++) {
    missed += (2 * binomial(n, k - 1)) / 2 ** n;
    if (missed > LEFT_OUT) return Math.max(1, k - 1);
  }
  return Math.max(1, Math.floor(n / 2));
}

/**
 * The pseudo-median of differences that are as likely to be above as below the truth (Hodges and Lehmann): the median
 * of the means of all pairs of values, with the interval that the signed-rank test leaves (Wilcoxon). Of paired
 * measurements in alternating order it tells more than their plain median, and one wild pair still moves it little.
 */
export function estimateShift(values: readonly number[]): Estimate {
  const n = values.length;
  if (n === 0) throw new RangeError('There is no shift of no values.');
  const means: number[] = [];
  for (let i = 0; i < n; i++) {
    for (let j = i; j < n; j++) means.push(((values[i] ?? 0) + (values[j] ?? 0)) / 2);
  }
  means.sort((a, b) => a - b);
  const at = (index: number): number => means[index] ?? Number.NaN;
  const middle = Math.floor(means.length / 2);
  const median = means.length % 2 === 1 ? at(middle) : (at(middle - 1) + at(middle)) / 2;
  const k = signedRankLimit(n);
  return { median, low: at(k), high: at(means.length - 1 - k) };
}

/** How many of the means are left out at each end: the largest sum of ranks that chance does not exceed with more than 2.5 %. */
function signedRankLimit(n: number): number {
  // ways[s]: in how many ways some of the ranks 1 to n add up to s.
  const ways = new Float64Array((n * (n + 1)) / 2 + 1);
  ways[0] = 1;
  for (let rank = 1; rank <= n; rank++) {
    for (let sum = ways.length - 1; sum >= rank; sum--) {
      ways[sum] = (ways[sum] ?? 0) + (ways[sum - rank] ?? 0);
    }
  }
  let chance = 0;
  for (let sum = 0; sum < ways.length; sum++) {
    chance += (ways[sum] ?? 0) / 2 ** n;
    if (chance > LEFT_OUT / 2) return Math.max(0, sum - 1);
  }
  return 0;
}

function binomial(n: number, k: number): number {
  let product = 1;
  for (let i = 1; i <= k; i++) product *= (n - k + i) / i;
  return product;
}
