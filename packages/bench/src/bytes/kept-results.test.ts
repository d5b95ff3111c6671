import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, expect, test } from '@jest/globals';

import { keptResult, writeWhole } from './kept-results.js';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'bench-kept-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const found = (inputs: string[], result: unknown) =>
  keptResult(inputs, () => Promise.resolve(result), directory);

test('what was found once is not looked for again', async () => {
  expect(await found(['rsync', '3.2'], { total: 7 })).toEqual({ total: 7 });
  const again = keptResult(
    ['rsync', '3.2'],
    () => Promise.reject(new Error('looked for')),
    directory,
  );
  expect(await again).toEqual({ total: 7 });
});

test('another version of a tool is another result', async () => {
  await found(['rsync', '3.2'], 1);
  expect(await found(['rsync', '3.5'], 2)).toBe(2);
});

test('a failure is not kept', async () => {
  const failing = keptResult(['x'], () => Promise.reject(new Error('no room')), directory);
  await expect(failing).rejects.toThrow('no room');
  expect(await found(['x'], 3)).toBe(3);
});

test('a torn file is found again', async () => {
  await found(['x'], 3);
  const [file] = await readdir(directory);
  await writeFile(join(directory, file ?? ''), '{"inputs":["x"],"res');
  expect(await found(['x'], 4)).toBe(4);
});

test('a file is written whole, and nothing is left beside it', async () => {
  await writeWhole(join(directory, 'a'), 'one');
  await writeWhole(join(directory, 'a'), 'two');
  expect(await readdir(directory)).toEqual(['a']);
});
