import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { expect, test } from '@jest/globals';

import { keepResult, readResult } from './results-file.js';

test('a benchmark goes on from the file that it kept, and refuses one of something else', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'reprise-results-'));
  const file = join(directory, 'result.json');
  try {
    expect(await readResult(file, 2)).toBeUndefined();
    await keepResult(file, { version: 2 });
    expect(await readResult(file, 2)).toEqual({ version: 2 });
    await writeFile(file, '{"version":1}');
    await expect(readResult(file, 2)).rejects.toThrow(/another file/);
  } finally {
    await rm(directory, { recursive: true });
  }
});
