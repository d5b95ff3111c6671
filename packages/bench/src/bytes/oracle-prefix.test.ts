import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { fileImage, ImageReader, type Image } from '@reprise/differ';

import { joinedBytes, PageWriter, writeNearest } from './oracle-prefix.js';

describe('the prefix of the oracle', () => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'bench-oracle-'));
  });
  afterEach(() => rm(directory, { recursive: true, force: true }));

  test('holds what the content shares with a base, and zstd finds all of it', async () => {
    const shared = randomBytes(4096);
    const ram = Buffer.concat([randomBytes(40 * 4096), shared, randomBytes(8 * 4096)]);
    const content = Buffer.concat([shared.subarray(100), randomBytes(100)]);
    await writeFile(join(directory, 'ram'), ram);
    await writeFile(join(directory, 'content'), content);
    const noDisk: Image = { sizeBytes: 0n, files: [], extents: new BigUint64Array(0) };
    const state = { ram: await fileImage(join(directory, 'ram')), disk: noDisk };
    await using ramReader = await ImageReader.open(state.ram);
    await using diskReader = await ImageReader.open(state.disk);
    const readers = { ram: ramReader, disk: diskReader };
    const prefix = join(directory, 'prefix');
    await using writer = new PageWriter(prefix);
    await writeNearest(writer, { state, readers }, join(directory, 'content'), {
      onProgress: () => undefined,
    });
    await writer.end();
    const bytes = await joinedBytes(prefix, join(directory, 'content'), undefined);
    expect(bytes).toBeGreaterThan(100);
    expect(bytes).toBeLessThan(200);
  }, 60_000);
});
