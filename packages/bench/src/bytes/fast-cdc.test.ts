import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';

import { chunkedBytes, cutPoint } from './fast-cdc.js';

describe('content-defined chunks', () => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'bench-cdc-'));
  });
  afterEach(() => rm(directory, { recursive: true, force: true }));

  test('are neither shorter than 16 nor longer than 256 KiB, but for the last', () => {
    for (const bytes of [randomBytes(1 << 20), Buffer.alloc(1 << 20)]) {
      expect(cutPoint(bytes)).toBeGreaterThanOrEqual(16 << 10);
      expect(cutPoint(bytes)).toBeLessThanOrEqual(256 << 10);
    }
    expect(cutPoint(randomBytes(100))).toBe(100);
  });

  test('survive an insertion: what comes after is found again', async () => {
    const content = randomBytes(4 << 20);
    const [old, fresh] = [join(directory, 'old'), join(directory, 'new')];
    await writeFile(old, content);
    await writeFile(
      fresh,
      Buffer.concat([content.subarray(0, 1e6), randomBytes(7), content.subarray(1e6)]),
    );
    expect(await chunkedBytes(old, fresh)).toBeLessThan(600_000);
    expect(await chunkedBytes(old, old)).toBeLessThan(20_000);
  });
});
