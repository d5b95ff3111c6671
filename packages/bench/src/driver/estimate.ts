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

function binomial(n: number, k: number): number {
  let product = 1;
  for (let i = 1; i <= k; i++) product *= (n - k + i) / i;
  return product;
}
