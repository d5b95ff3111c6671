import { parseRate } from '@reprise/core';
import { InvalidArgumentError, Option } from 'commander';

import { describe } from './run.js';

/** Parsers for what the benchmarks' options hold; each throws InvalidArgumentError with what to give instead. */

/** The link that migrations are measured on. */
export function limitOption(): Option {
  return new Option('--limit <rate>', 'of the link, each way')
    .argParser(parseLimit)
    .default(parseRate('5mbit'), '5mbit');
}

export function parseGibibytes(text: string): number {
  const gib = Number(text);
  if (gib > 0 && gib <= 4096) return gib;
  throw new InvalidArgumentError('Give GiB, above 0 and up to 4096.');
}

export function parseCount(text: string): number {
  return parseWhole(text, 1, 100);
}

/** Guests that run at a time: each takes a gigabyte, and most of a CPU. */
export function parseLanes(text: string): number {
  return parseWhole(text, 1, 32);
}

export function parsePairs(text: string): number {
  return parseWhole(text, 0, 100);
}

export function parseMilliseconds(text: string): number {
  return parseWhole(text, 100, 600_000);
}

export function parseSeconds(text: string): number {
  return parseWhole(text, 0, 86_400);
}

/** What a server may keep in memory: see `fill`. */
export function parseMebibytes(text: string): number {
  return parseWhole(text, 16, 16_384);
}

function parseWhole(text: string, low: number, high: number): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= low && value <= high) return value;
  throw new InvalidArgumentError(`Give a whole number from ${String(low)} to ${String(high)}.`);
}

function parseLimit(text: string): number {
  try {
    return parseRate(text);
  } catch (error) {
    throw new InvalidArgumentError(describe(error));
  }
}
