import { mkdtemp, open, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';

import { requireSpace } from './space.js';
import { copySparse } from './sparse-copy.js';

const MiB = 1024 * 1024;
const coded = (code: string) => expect.objectContaining({ code });

describe('a sparse copy', () => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'reprise-copy-'));
  });
  afterEach(() => rm(directory, { recursive: true, force: true }));
  const at = (name: string) => join(directory, name);

  test('is equal to its source, and leaves out zeros that the source had allocated', async () => {
    const bytes = Buffer.alloc(8 * MiB); // as QEMU leaves RAM: allocated, mostly zero
    bytes.fill('data', 2 * MiB, 3 * MiB);
    await writeFile(at('ram'), bytes);
    const seen: number[] = [];
    await copySparse(at('ram'), at('copy'), { onProgress: (done) => seen.push(done) });
    expect((await readFile(at('copy'))).equals(bytes)).toBe(true);
    expect((await stat(at('copy'))).blocks * 512).toBeLessThan(2 * MiB);
    expect(seen.at(-1)).toBeGreaterThan(0);
  });

  test('can be written by its owner, although a snapshot cannot', async () => {
    await writeFile(at('ram'), 'sealed', { mode: 0o400 });
    await copySparse(at('ram'), at('copy'));
    expect((await stat(at('copy'))).mode & 0o777).toBe(0o600);
  });

  test('skips holes, however large', async () => {
    const file = await open(at('disk'), 'w');
    await file.truncate(2 ** 40);
    await file.write('end', 2 ** 40 - 3);
    await file.close();
    await copySparse(at('disk'), at('copy'));
    const { size, blocks } = await stat(at('copy'));
    expect(size).toBe(2 ** 40);
    expect(blocks * 512).toBeLessThan(MiB);
  });

  test('overwrites nothing, and leaves nothing behind when it fails or is cancelled', async () => {
    await writeFile(at('a'), 'a');
    await writeFile(at('b'), 'b');
    await expect(copySparse(at('a'), at('b'))).rejects.toEqual(coded('COPY_FAILED'));
    expect(await readFile(at('b'), 'utf8')).toBe('b');
    await expect(copySparse(at('none'), at('c'))).rejects.toEqual(coded('COPY_FAILED'));
    await expect(copySparse(at('a'), at('c'), { signal: AbortSignal.abort() })).rejects.toEqual(
      coded('CANCELLED'),
    );
    const controller = new AbortController();
    await writeFile(at('big'), Buffer.alloc(64 * MiB, 'x'));
    const copying = copySparse(at('big'), at('d'), { signal: controller.signal });
    controller.abort();
    await expect(copying).rejects.toEqual(coded('CANCELLED'));
    expect((await readdir(directory)).sort()).toEqual(['a', 'b', 'big']);
  });

  test('says how much is needed and how much there is, before it starts', async () => {
    await expect(requireSpace(directory, 2 ** 52)).rejects.toMatchObject({
      code: 'INSUFFICIENT_SPACE',
      message: expect.stringMatching(/needs \d+ MiB and has \d+ MiB left/),
    });
  });
});
