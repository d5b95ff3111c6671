import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm, stat, readlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { encodeCpio } from './cpio.js';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'reprise-cpio-'));
});
afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

test('cpio(1) unpacks what was encoded, with its modes, links and contents', async () => {
  const archive = encodeCpio([
    { path: 'bin', type: 'directory' },
    { path: 'bin/run', type: 'file', mode: 0o755, data: Buffer.from('#!/bin/sh\n') },
    { path: 'bin/odd', type: 'file', data: Buffer.from('12345') },
    { path: 'bin/empty', type: 'file', data: Buffer.alloc(0) },
    { path: 'sh', type: 'symlink', target: 'bin/run' },
  ]);
  execFileSync('cpio', ['--quiet', '-i', '-d'], { cwd: directory, input: archive });
  expect(await readFile(join(directory, 'bin/run'), 'utf8')).toBe('#!/bin/sh\n');
  expect((await stat(join(directory, 'bin/run'))).mode & 0o777).toBe(0o755);
  expect(await readFile(join(directory, 'bin/odd'), 'utf8')).toBe('12345');
  expect((await stat(join(directory, 'bin/empty'))).size).toBe(0);
  expect(await readlink(join(directory, 'sh'))).toBe('bin/run');
});

test('the same entries give the same bytes', () => {
  const entries = [{ path: 'a', type: 'file', data: Buffer.from('x') }] as const;
  expect(encodeCpio(entries).equals(encodeCpio(entries))).toBe(true);
});
