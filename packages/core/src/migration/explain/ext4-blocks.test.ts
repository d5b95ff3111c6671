import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, open, rm, writeFile, type FileHandle } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

import { ownersOfBlocks } from './ext4-blocks.js';

const BLOCK = 4096;
const BLOCKS = 4096;

/** What e2fsprogs made and what it says about it: ours must agree. */
describe('whose the blocks of a disk are', () => {
  let directory: string;
  let image: FileHandle;
  const env = { ...process.env, PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin` };
  const debugfs = (command: string): string =>
    execFileSync('debugfs', ['-R', command, join(directory, 'image')], {
      ...{ env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] },
    });
  const blocksOf = (path: string): number[] =>
    debugfs(`blocks ${path}`).trim().split(/\s+/).map(Number);
  const read = async (block: number): Promise<Buffer> => {
    const content = Buffer.alloc(BLOCK);
    await image.read(content, 0, BLOCK, block * BLOCK);
    return content;
  };

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'reprise-ext4-'));
    const tree = join(directory, 'tree');
    await mkdir(join(tree, 'home', 'user'), { recursive: true });
    await writeFile(join(tree, 'home', 'user', 'report.txt'), randomBytes(5 * BLOCK));
    await writeFile(join(tree, 'a'), 'short');
    // Enough names that the directory has an index.
    await mkdir(join(tree, 'many'));
    for (let i = 0; i < 400; i++) await writeFile(join(tree, 'many', `name-${String(i)}`), 'x');
    execFileSync(
      'mke2fs',
      [
        ...['-q', '-F', '-t', 'ext4', '-b', String(BLOCK), '-O', '64bit,metadata_csum'],
        ...['-d', tree, join(directory, 'image'), `${String((BLOCKS * BLOCK) / 1024)}k`],
      ],
      { env, stdio: 'pipe' },
    );
    image = await open(join(directory, 'image'), 'r');
  });
  afterAll(async () => {
    await image.close();
    await rm(directory, { recursive: true, force: true });
  });

  test('files are named by their paths, as debugfs has them', async () => {
    const [report, last] = [blocksOf('/home/user/report.txt'), blocksOf('/many/name-399')];
    const owners = await ownersOfBlocks(read, [...last, ...report]);
    expect(owners).toEqual([
      { owner: '/home/user/report.txt', blocks: report },
      { owner: '/many/name-399', blocks: last },
    ]);
  });

  test('the journal, tables, maps and free blocks are told apart', async () => {
    const stats = debugfs('stats -h');
    const table = Number(/inode table at (\d+)/.exec(debugfs('show_super_stats'))?.[1]);
    const journal = blocksOf('<8>')[1] ?? 0;
    const owners = await ownersOfBlocks(read, [0, table, journal, BLOCKS - 1]);
    expect(stats).toContain('Filesystem magic number');
    const told = new Map(owners?.map(({ owner, blocks }) => [blocks[0], owner]));
    expect(told.get(0)).toMatch(/^maps/);
    expect(told.get(table)).toMatch(/^tables of inodes/);
    expect(told.get(journal)).toBe('the journal');
    expect(told.get(BLOCKS - 1)).toMatch(/^free/);
  });

  test('every block asked about has exactly one owner', async () => {
    const all = Array.from({ length: BLOCKS }, (_, block) => block);
    const owners = await ownersOfBlocks(read, all);
    expect(owners?.flatMap(({ blocks }) => blocks).toSorted((a, b) => a - b)).toEqual(all);
  });

  test('a disk without ext4 has no owners to name', async () => {
    expect(await ownersOfBlocks(() => Promise.resolve(Buffer.alloc(BLOCK)), [1])).toBeUndefined();
  });

  test('a damaged file system gives an answer or none, and ends', async () => {
    for (let seed = 1; seed <= 20; seed++) {
      const damaged = async (block: number) => {
        const content = await read(block);
        // Numbers of inodes, extents and directories, but not the magic.
        for (let at = 60 + (block % 7); at < BLOCK; at += 97 + seed) {
          if (block > 0) content[at] = (content[at] ?? 0) ^ (seed * 13);
        }
        return content;
      };
      const owners = await ownersOfBlocks(damaged, [0, 5, 100, 2000]);
      expect(owners?.flatMap(({ blocks }) => blocks).toSorted((a, b) => a - b)).toEqual([
        0, 5, 100, 2000,
      ]);
    }
  }, 60_000);
});
