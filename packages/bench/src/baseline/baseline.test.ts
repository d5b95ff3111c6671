import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';

import { measureFullCopy, measureRsync, runProgram } from './index.js';
import type { StateFiles } from './index.js';

const SIZE = 1 << 20;

describe('what other tools send', () => {
  let directory: string;
  let base: StateFiles;
  let target: StateFiles;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'bench-baseline-'));
    const ram = randomBytes(SIZE);
    base = await state('base', ram);
    ram.fill('changed', 300_000, 310_000);
    target = await state('target', ram);
  });
  afterEach(() => rm(directory, { recursive: true, force: true }));

  const state = async (name: string, ram: Buffer): Promise<StateFiles> => {
    const at = (part: string) => join(directory, `${name}.${part}`);
    await writeFile(at('ram'), ram);
    await writeFile(at('disk'), Buffer.alloc(SIZE));
    await writeFile(at('device'), 'device');
    return { ram: at('ram'), disk: at('disk'), device: at('device') };
  };

  test('rsync counts both directions, and leaves base, target and directory as they were', async () => {
    const [baseRam, targetRam] = [await readFile(base.ram), await readFile(target.ram)];
    const files = await readdir(directory);
    const { total, sent, received, byPart } = await measureRsync(base, target, { directory });
    expect(total).toBe(sent + received);
    expect(sent).toBe(byPart.ram.sent + byPart.disk.sent + byPart.device.sent);
    // Less than the whole, more than nothing: the block that changed and the checksums of the others.
    expect(byPart.ram.received).toBeGreaterThan(1000);
    expect(byPart.ram.total).toBeLessThan(SIZE / 10);
    expect((await readFile(base.ram)).equals(baseRam)).toBe(true);
    expect((await readFile(target.ram)).equals(targetRam)).toBe(true);
    expect(await readdir(directory)).toEqual(files);
  });

  test('a full copy compresses each part and receives nothing', async () => {
    const { total, sent, received, byPart } = await measureFullCopy(target);
    expect([total, received]).toEqual([sent, 0]);
    expect(byPart.ram.sent).toBeGreaterThan(SIZE * 0.9);
    expect(byPart.disk.sent).toBeLessThan(1000);
  });

  test('a cancelled measurement leaves no files', async () => {
    const files = await readdir(directory);
    const signal = AbortSignal.abort(new Error('enough'));
    await expect(measureRsync(base, target, { directory, signal })).rejects.toThrow('enough');
    expect(await readdir(directory)).toEqual(files);
  });
});

describe('running a program', () => {
  test('gives its standard output', async () => {
    expect(await runProgram('printf', ['%s', 'said'])).toBe('said');
  });

  test('tells with what words it failed', async () => {
    await expect(runProgram('sh', ['-c', 'echo no room >&2; exit 3'])).rejects.toThrow(
      'sh ended with code 3: no room',
    );
  });

  test('says what to do when it is not installed', async () => {
    await expect(runProgram('no-such-program', [])).rejects.toThrow(/pnpm run setup/);
  });
});
