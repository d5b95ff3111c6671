import { execFile } from 'node:child_process';
import {
  appendFile,
  mkdir,
  mkdtemp,
  readFile,
  readdir,
  rm,
  truncate,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import fc from 'fast-check';
import { z } from 'zod';

import { Journal } from './journal.js';

jest.setTimeout(120_000);

const schema = z.strictObject({ type: z.string(), n: z.int() });
const corrupt = expect.objectContaining({ code: 'JOURNAL_CORRUPT' });

describe('a journal', () => {
  let directory: string;
  let path: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'reprise-journal-'));
    path = join(directory, 'journal.jsonl');
  });
  afterEach(() => rm(directory, { recursive: true, force: true }));

  async function fill(count: number): Promise<Buffer> {
    await using journal = await Journal.open(path, schema);
    for (let n = 1; n <= count; n++) await journal.append({ type: 'X', n });
    return await readFile(path);
  }
  const numbers = async () => (await Journal.read(path, schema)).map((entry) => entry.record.n);

  test('gives back what was appended, in order and numbered, as lines of JSON', async () => {
    const bytes = await fill(3);
    expect(await numbers()).toEqual([1, 2, 3]);
    expect((await Journal.read(path, schema)).map((entry) => entry.seq)).toEqual([1, 2, 3]);
    for (const line of bytes.toString().trimEnd().split('\n'))
      expect(() => {
        JSON.parse(line);
      }).not.toThrow();
  });

  test('cut off anywhere, loses at most the record that was being written, and goes on', async () => {
    const whole = await fill(4);
    const ends = [...whole.entries()].filter(([, byte]) => byte === 0x0a).map(([at]) => at + 1);
    for (let size = 0; size <= whole.length; size += 7) {
      await writeFile(path, whole);
      await truncate(path, size);
      const left = ends.filter((end) => end <= size).length;
      expect(await numbers()).toHaveLength(left);
      await using journal = await Journal.open(path, schema);
      await journal.append({ type: 'X', n: 99 });
      expect(await numbers()).toEqual([...Array.from({ length: left }, (_, i) => i + 1), 99]);
    }
  });

  test('refuses a changed byte anywhere but in a torn end, rather than give a shorter history', async () => {
    const whole = await fill(3);
    await fc.assert(
      fc.asyncProperty(
        fc.nat(whole.length - 2),
        fc.integer({ min: 1, max: 255 }),
        async (at, flip) => {
          const changed = Buffer.from(whole);
          changed[at] = (changed[at] ?? 0) ^ flip;
          await writeFile(path, changed);
          await expect(Journal.read(path, schema)).rejects.toEqual(corrupt);
          await expect(Journal.open(path, schema)).rejects.toEqual(corrupt);
        },
      ),
      { numRuns: 60 },
    );
  });

  test('notices a line that was taken out, doubled, or moved', async () => {
    const lines = (await fill(4)).toString().trimEnd().split('\n');
    const [a = '', b = '', c = '', d = ''] = lines;
    for (const order of [
      [a, c, d],
      [a, b, b, c, d],
      [a, c, b, d],
      [b, c, d],
    ]) {
      await writeFile(path, `${order.join('\n')}\n`);
      await expect(Journal.read(path, schema)).rejects.toEqual(corrupt);
    }
  });

  test('does not grow without end, and keeps counting', async () => {
    await fill(513);
    await using journal = await Journal.open(path, schema);
    expect(journal.entries).toHaveLength(128);
    expect((await journal.append({ type: 'X', n: 0 })).seq).toBe(514);
    await appendFile(path, 'torn');
    expect(await numbers()).toHaveLength(129);
    expect(await readdir(directory)).toEqual(['journal.jsonl']);
  });

  test('is empty when there is none, and closes twice', async () => {
    expect(await numbers()).toEqual([]);
    const journal = await Journal.open(path, schema);
    await journal.close();
    await journal.close();
    await expect(journal.append({ type: 'X', n: 1 })).rejects.toThrow('closed');
  });

  const onTmpfs = process.getuid?.() === 0 ? test : test.skip;
  onTmpfs('on a full disk says that nothing happened, and goes on once there is room', async () => {
    await using disk = await SmallDisk.mount(directory);
    const small = join(disk.path, 'journal.jsonl');
    await using journal = await Journal.open(small, schema);
    await journal.append({ type: 'X', n: 1 });
    await disk.fill();
    let failure: unknown;
    for (let n = 2; n < 200 && failure === undefined; n++) {
      await journal
        .append({ type: 'X'.repeat(200), n })
        .catch((error: unknown) => (failure = error));
    }
    expect(failure).toMatchObject({
      code: expect.stringMatching(/JOURNAL_(WRITE_FAILED|UNCERTAIN)/),
    });
    const before = await Journal.read(small, schema);
    expect(before).toEqual(journal.entries);
    await disk.empty();
    await using again = await Journal.open(small, schema);
    await again.append({ type: 'Y', n: 7 });
    expect((await Journal.read(small, schema)).at(-1)?.record).toEqual({ type: 'Y', n: 7 });
  });
});

/** A file system of 64 KiB. */
class SmallDisk implements AsyncDisposable {
  readonly path: string;
  private constructor(path: string) {
    this.path = path;
  }
  static async mount(directory: string): Promise<SmallDisk> {
    const path = join(directory, 'small');
    await mkdir(path);
    await promisify(execFile)('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'reprise-test', path]);
    return new SmallDisk(path);
  }
  async fill(): Promise<void> {
    await writeFile(join(this.path, 'filler'), Buffer.alloc(1024 * 1024)).catch(
      (error: unknown) => {
        if ((error as { code?: string }).code !== 'ENOSPC') throw error;
      },
    );
  }
  empty(): Promise<void> {
    return rm(join(this.path, 'filler'));
  }
  async [Symbol.asyncDispose](): Promise<void> {
    await promisify(execFile)('umount', ['-l', this.path]);
  }
}
