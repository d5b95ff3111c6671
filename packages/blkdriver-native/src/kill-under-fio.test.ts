import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

import { describe, expect, test } from '@jest/globals';

import { BLOCK_SIZE, DirtyKind, VirtualDisk } from './index.js';
import type { DiskChain } from './index.js';
import { run, ServingProcess } from './testing/run.js';
import { Scratch } from './testing/scratch.js';

const usualRounds = process.env['REPRISE_LONG'] === '1' ? 100 : 3;
const rounds = Number(process.env['REPRISE_BLK_KILL_ROUNDS'] ?? usualRounds);
const size = 64 << 20;

/** What fio's jobs of one round share: the same seed makes the verifying job know the written content. */
function job(scratch: Scratch, socketPath: string, round: number): string[] {
  return [
    ...['--name=v', '--ioengine=nbd', `--uri=nbd+unix:///disk?socket=${socketPath}`],
    ...['--bs=4k', `--iodepth=${round % 2 === 0 ? 16 : 1}`, `--size=${size}`],
    ...['--verify=crc32c', '--continue_on_error=verify', `--randseed=${round + 1}`],
    ...[`--aux-path=${scratch.dir}`, '--output-format=json'],
  ];
}

async function serve(chain: DiskChain, socketPath: string): Promise<ServingProcess> {
  return ServingProcess.start({ chain, serve: { socketPath } });
}

/** Waits until the log has grown, so that a kill comes amid writes, however slow the machine is. */
async function untilWritten(scratch: Scratch, iolog: string): Promise<void> {
  for (let i = 0; i < 600; i++) {
    const text = await readFile(scratch.path(iolog), 'utf8').catch(() => '');
    if (text.includes('write')) return;
    await sleep(50);
  }
  throw new Error('fio wrote nothing within 30 s');
}

/** The blocks that fio sent writes of, in the order in which it sent them. */
async function sentBlocks(scratch: Scratch, iolog: string): Promise<number[]> {
  const lines = (await readFile(scratch.path(iolog), 'utf8')).split('\n');
  const writes = lines.map((line) => /\bwrite (\d+) 4096$/.exec(line)?.[1]);
  return writes.flatMap((offset) => (offset === undefined ? [] : [Number(offset) / BLOCK_SIZE]));
}

async function markedBlocks(disk: VirtualDisk, fromSequence: bigint): Promise<number[]> {
  const blocks: number[] = [];
  for await (const batch of disk.dirtyLog({ fromSequence })) {
    for (let i = 0; i < batch.length; i++) {
      if (batch.kinds[i] !== DirtyKind.write) continue;
      const first = Number(batch.firstBlocks[i]);
      for (let n = 0; n < (batch.blockCounts[i] ?? 0); n++) blocks.push(first + n);
    }
  }
  return blocks;
}

/** The blocks that fio read back and found wrong. */
function missedBlocks(errors: string): number[] {
  return [...errors.matchAll(/^verify: .* offset (\d+), length/gm)].map(
    ([, offset]) => Number(offset) / BLOCK_SIZE,
  );
}

describe('a driver that is killed under fio', () => {
  test(
    `gives fio back what it wrote and keeps fio's order, in ${rounds} kills`,
    async () => {
      await using scratch = await Scratch.create();
      const chain = await scratch.chain(size, 0);
      const socketPath = scratch.path('s');
      for (let round = 0; round < rounds; round++) {
        const iolog = `iolog-${round}`;
        const disk = await VirtualDisk.open(chain);
        const { sequence } = await disk.cutEpoch();
        await disk.close();

        const server = await serve(chain, socketPath);
        const writing = run('fio', [
          ...[...job(scratch, socketPath, round), '--rw=randwrite', '--do_verify=0'],
          ...['--rate_iops=6000', `--write_iolog=${scratch.path(iolog)}`],
        ]);
        await untilWritten(scratch, iolog);
        await sleep(Math.random() * 1500);
        await server.kill('SIGKILL');
        await writing;

        const restarted = await serve(chain, socketPath);
        const verified = await run('fio', [
          ...[...job(scratch, socketPath, round), '--rw=randread', '--verify_state_load=1'],
        ]);
        await restarted.kill('SIGTERM');
        const report = JSON.parse(verified.stdout.slice(verified.stdout.indexOf('{'))) as {
          jobs: { read: { total_ios: number } }[];
        };
        expect(report.jobs[0]?.read.total_ios).toBeGreaterThan(0);

        await using after = await VirtualDisk.open(chain);
        const marked = await markedBlocks(after, sequence + 1n);
        const sent = await sentBlocks(scratch, iolog);
        // One connection is served in the order of its requests, whatever their depth.
        expect(marked).toEqual(sent.slice(0, marked.length));
        // fio also looks for writes that it had in flight: those that never arrived are not lost.
        const arrived = new Set(marked);
        expect(missedBlocks(verified.stderr).filter((block) => arrived.has(block))).toEqual([]);
      }
    },
    60_000 + rounds * 60_000,
  );
});
