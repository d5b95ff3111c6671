import { mkdtemp, rm, writeFile, readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';

import { keptNumber } from './kept-numbers.js';

describe('a kept number', () => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'bench-kept-'));
  });
  afterEach(() => rm(directory, { recursive: true, force: true }));

  const find = (inputs: (string | number)[], found: number): Promise<number> =>
    keptNumber(inputs, () => Promise.resolve(found), directory);

  test('is found once for the same inputs', async () => {
    expect(await find(['a', 1], 42)).toBe(42);
    expect(await find(['a', 1], 7)).toBe(42);
    expect(await find(['a', 2], 7)).toBe(7);
  });

  test('that a crash has left half written is found again', async () => {
    await find(['a'], 42);
    const [name = ''] = await readdir(directory);
    await writeFile(join(directory, name), '');
    expect(await find(['a'], 43)).toBe(43);
  });
});
