import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, stat } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

import { describe, expect, test } from '@jest/globals';

import { BLOCK_SIZE, DirtyKind, VirtualDisk } from './index.js';
import type { DiskChain } from './index.js';
import { run, runOk, ServingProcess } from './testing/run.js';
import { Scratch } from './testing/scratch.js';

const usualRounds = process.env['REPRISE_LONG'] === '1' ? 100 : 3;
const rounds = Number(process.env['REPRISE_BLK_KILL_ROUNDS'] ?? usualRounds);
const size = 64 << 20;

/** One round's writes: the same seed gives the same blocks, in the same order, with the same content. */
function writes(round: number): string[] {
  return [
    ...['--name=v', '--rw=randwrite', '--bs=4k', `--size=${size}`, `--randseed=${round + 1}`],
    ...[`--iodepth=${round % 2 === 0 ? 16 : 1}`, '--verify=crc32c', '--verify_fatal=1', '--thread'],
    '--verify_state_save=0', // it would lie in the working directory
  ];
}

function engine(socketPath: string): string[] {
  return ['--ioengine=nbd', `--uri=nbd+unix:///disk?socket=${socketPath}`];
}

/** The model: the blocks in the order in which fio writes them, each once. */
async function plannedBlocks(scratch: Scratch, round: number): Promise<number[]> {
  const iolog = scratch.path(`iolog-${round}`);
  const dry = ['--ioengine=null', '--do_verify=0', `--write_iolog=${iolog}`];
  await runOk('fio', [...writes(round), ...dry]);
  const lines = (await readFile(iolog, 'utf8')).split('\n');
  const offsets = lines.map((line) => / write (\d+) 4096$/.exec(line)?.[1]);
  const blocks = offsets.filter((offset) => offset !== undefined).map(Number);
  return [...new Set(blocks)].map((offset) => offset / BLOCK_SIZE);
}

/** Writes until both are killed, somewhere amid the writes, however slow the machine is. */
async function writeAndKill(chain: DiskChain, socketPath: string, round: number): Promise<void> {
  const data = `${chain.overlay}/data`;
  await using server = await ServingProcess.start({ chain, serve: { socketPath } });
  const before = (await stat(data)).mtimeMs;
  const pace = ['--do_verify=0', '--rate_iops=6000'];
  const fio = spawn('fio', [...writes(round), ...engine(socketPath), ...pace], { stdio: 'ignore' });
  const ended = once(fio, 'exit');
  for (let i = 0; i < 600 && (await stat(data)).mtimeMs === before; i++) await sleep(50);
  await sleep(Math.random() * 1500);
  await server.kill('SIGKILL');
  fio.kill('SIGKILL'); // without its server it would not always end
  await ended;
}

async function markedBlocks(chain: DiskChain, fromSequence: bigint): Promise<number[]> {
  const blocks: number[] = [];
  await using disk = await VirtualDisk.open(chain);
  for await (const batch of disk.dirtyLog({ fromSequence })) {
    for (let i = 0; i < batch.length; i++) {
      if (batch.kinds[i] !== DirtyKind.write) continue;
      const first = Number(batch.firstBlocks[i]);
      for (let n = 0; n < (batch.blockCounts[i] ?? 0); n++) blocks.push(first + n);
    }
  }
  return blocks;
}

async function cutEpoch(chain: DiskChain): Promise<bigint> {
  await using disk = await VirtualDisk.open(chain);
  return (await disk.cutEpoch()).sequence;
}

describe('a driver that is killed under fio', () => {
  test(
    `has every write that it began to answer, in fio's order, after each of ${rounds} kills`,
    async () => {
      await using scratch = await Scratch.create();
      const chain = await scratch.chain(size, 0);
      const socketPath = scratch.path('s');
      for (let round = 0; round < rounds; round++) {
        const planned = await plannedBlocks(scratch, round);
        const sequence = await cutEpoch(chain);
        await writeAndKill(chain, socketPath, round);

        // One connection is served in the order of its requests, whatever their depth.
        const marked = await markedBlocks(chain, sequence + 1n);
        expect(marked.length).toBeGreaterThan(1);
        expect(marked).toEqual(planned.slice(0, marked.length));

        // All but the last mark have their data, so at least all that was acknowledged.
        await using server = await ServingProcess.start({ chain, serve: { socketPath } });
        const verified = await run('fio', [
          ...[...writes(round), ...engine(socketPath)],
          ...['--verify_only', `--number_ios=${marked.length - 1}`],
        ]);
        expect({ round, ...verified }).toMatchObject({ round, code: 0, stderr: '' });
        await server.kill('SIGTERM');
      }
    },
    60_000 + rounds * 60_000,
  );
});
