export interface Spread {
  readonly min: number;
  readonly median: number;
  readonly max: number;
}

/** Of at least one value. With an even count the median is the lower middle: a value that was measured. */
export function spreadOf(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  const [min, median, max] = [
    sorted[0],
    sorted[Math.floor((sorted.length - 1) / 2)],
    sorted.at(-1),
  ];
  if (min === undefined || median === undefined || max === undefined) {
    throw new RangeError('There is no spread of no values.');
  }
  return { min, median, max };
}
