/** A median with an interval that holds the true one with at least 95 %. */
export interface Estimate {
  median: number;
  low: number;
  high: number;
}

function choose(n: number, k: number): number {
  let product = 1;
  for (let i = 1; i <= k; i++) product *= (n - k + i) / i;
  return product;
}

/**
 * The distribution-free interval from order statistics: between the k-th smallest
 * and the k-th largest value lies the true median, but for the chance that a fair
 * coin shows one side in n throws less than k times. Under six values the whole
 * range is given, which holds it with less than 95 %.
 */
export function estimateMedian(values: readonly number[]): Estimate {
  if (values.length === 0) throw new RangeError('an estimate needs values');
  const sorted = [...values].sort((a, b) => a - b);
  const n = sorted.length;
  const at = (i: number): number => sorted[i] ?? Number.NaN;
  let outside = 0;
  let k = 0;
  while (k < Math.floor(n / 2)) {
    outside += (2 * choose(n, k)) / 2 ** n;
    if (outside > 0.05) break;
    k++;
  }
  const trimmed = Math.max(0, k - 1);
  const middle = Math.floor(n / 2);
  const median = n % 2 === 1 ? at(middle) : (at(middle - 1) + at(middle)) / 2;
  return { median, low: at(trimmed), high: at(n - 1 - trimmed) };
}
