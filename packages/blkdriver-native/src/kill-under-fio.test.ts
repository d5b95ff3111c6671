import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, readdir, stat } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

import { describe, expect, test } from '@jest/globals';

import { BLOCK_SIZE, VirtualDisk, readDirtyLog } from './index.js';
import type { DiskChain } from './index.js';
import { logChanges } from './testing/change.js';
import { prefixInOrder, requestsOf } from './testing/fio-plan.js';
import type { Request } from './testing/fio-plan.js';
import { run, runOk, ServingProcess } from './testing/run.js';
import { Scratch } from './testing/scratch.js';

const jobBytes = 32 << 20;

/** One kind of load; each of `connections` writes its own half of the disk. */
interface Load {
  readonly name: string;
  readonly connections: 1 | 2;
  readonly options: readonly string[];
  /** Whether fio can tell afterwards that it reads what it wrote: not where it writes a block twice. */
  readonly verifies: boolean;
}

const loads: readonly Load[] = [
  {
    name: 'many requests at once, with flushes',
    connections: 1,
    options: ['--rw=randwrite', '--bs=4k', '--iodepth=16', '--fsync=64'],
    verifies: true,
  },
  {
    name: 'requests of several sizes',
    connections: 1,
    options: ['--rw=randwrite', '--bsrange=4k-16k', '--iodepth=1', '--fsync=16'],
    verifies: true,
  },
  {
    name: 'two connections',
    connections: 2,
    options: ['--rw=randwrite', '--bs=4k', '--iodepth=8', '--fsync=128'],
    verifies: true,
  },
  {
    name: 'blocks that are written again and again',
    connections: 1,
    options: [
      ...['--rw=randwrite', '--bs=4k', '--iodepth=4', '--fsync=64'],
      ...['--norandommap', '--random_distribution=zipf:1.1'],
    ],
    verifies: false,
  },
  {
    name: 'trims, each with a write of the same block behind it',
    connections: 1,
    options: ['--rw=randtrimwrite', '--bs=4k', '--iodepth=1', '--fsync=64'],
    verifies: false,
  },
];

const usualRounds = process.env['REPRISE_LONG'] === '1' ? 100 : loads.length;
const rounds = Number(process.env['REPRISE_BLK_KILL_ROUNDS'] ?? usualRounds);

/** Every kind of load in turn. */
function nth(round: number): Load {
  const load = loads[round % loads.length];
  if (load === undefined) throw new Error('there are no loads');
  return load;
}

/** Files so small that a kill comes amid new segments and compactions. */
const open = { logSegmentBytes: 4096, logCompactBytes: 32 << 10 };

/** The same seed gives the same requests, in the same order, with the same content. */
function job(load: Load, round: number, connection: number): string[] {
  return [
    ...[`--name=j${connection}`, `--offset=${connection * jobBytes}`, `--size=${jobBytes}`],
    ...[`--randseed=${2 * round + connection + 1}`, '--thread', ...load.options],
    ...(load.verifies ? ['--verify=crc32c', '--verify_fatal=1', '--verify_state_save=0'] : []),
  ];
}

function engine(socketPath: string): string[] {
  return ['--ioengine=nbd', `--uri=nbd+unix:///disk?socket=${socketPath}`];
}

function connectionsOf(load: Load): number[] {
  return load.connections === 1 ? [0] : [0, 1];
}

/** The model: what fio asks for on one connection, in its order. */
async function plan(scratch: Scratch, load: Load, round: number, on: number): Promise<Request[]> {
  const iolog = scratch.path(`iolog-${round}-${on}`);
  // One at a time, because fio logs what a full queue turns away as well.
  const dry = ['--ioengine=null', '--iodepth=1', '--do_verify=0', `--write_iolog=${iolog}`];
  await runOk('fio', [...job(load, round, on), ...dry]);
  return requestsOf(await readFile(iolog, 'utf8'));
}

/** Writes until both are killed, somewhere amid the writes, however slow the machine is. */
async function writeAndKill(
  chain: DiskChain,
  socketPath: string,
  load: Load,
  round: number,
): Promise<void> {
  const data = `${chain.overlay}/data`;
  await using server = await ServingProcess.start({ chain, open, serve: { socketPath } });
  const before = (await stat(data)).mtimeMs;
  const pace = ['--do_verify=0', '--rate_iops=6000'];
  // A process each: fio's second job of a process has other random numbers than a first one.
  const clients = connectionsOf(load).map((on) =>
    spawn('fio', [...job(load, round, on), ...engine(socketPath), ...pace], { stdio: 'ignore' }),
  );
  const ended = Promise.all(clients.map((client) => once(client, 'exit')));
  for (let i = 0; i < 600 && (await stat(data)).mtimeMs === before; i++) await sleep(50);
  await sleep(Math.random() * 1000);
  await server.kill('SIGKILL');
  for (const client of clients) client.kill('SIGKILL'); // without its server it would not always end
  await ended;
}

async function cutEpoch(chain: DiskChain): Promise<bigint> {
  await using disk = await VirtualDisk.open(chain, open);
  return (await disk.cutEpoch()).sequence;
}

describe('a driver that is killed under fio', () => {
  test(
    `has every write that it began to answer, in fio's order, after each of ${rounds} kills`,
    async () => {
      await using scratch = await Scratch.create();
      const chain = await scratch.chain(2 * jobBytes, 0);
      const socketPath = scratch.path('s');
      for (let round = 0; round < rounds; round++) {
        const load = nth(round);
        const plans = await Promise.all(
          connectionsOf(load).map((on) => plan(scratch, load, round, on)),
        );
        const fromSequence = (await cutEpoch(chain)) + 1n;
        await writeAndKill(chain, socketPath, load, round);

        // As the kill left it, before anything recovers it.
        const log = await logChanges(readDirtyLog(chain.overlay, { fromSequence }));
        const begun = plans.map((requests, on) => {
          const first = (on * jobBytes) / BLOCK_SIZE;
          const end = first + jobBytes / BLOCK_SIZE;
          const own = log.filter((change) => {
            const block = change < 0 ? -1 - change : change;
            return block >= first && block < end;
          });
          // One connection is served in the order of its requests, whatever their depth.
          const count = prefixInOrder(own, requests);
          expect({ load: load.name, round, on, inOrder: count !== undefined }).toEqual({
            ...{ load: load.name, round, on, inOrder: true },
          });
          return count ?? 0;
        });
        expect(Math.max(...begun)).toBeGreaterThan(1);

        // All but a connection's last mark have their data, so at least all that was acknowledged.
        await using server = await ServingProcess.start({ chain, open, serve: { socketPath } });
        for (const [on, count] of begun.entries()) {
          if (!load.verifies || count < 2) continue;
          const verified = await run('fio', [
            ...[...job(load, round, on), ...engine(socketPath)],
            ...['--verify_only', `--number_ios=${count - 1}`],
          ]);
          expect({ load: load.name, round, ...verified }).toMatchObject({ code: 0, stderr: '' });
        }
        await server.kill('SIGTERM');
      }
      // The kills came while the log was being compacted, too.
      const files = await readdir(chain.overlay);
      expect(files.filter((name) => name.endsWith('.cmp'))).not.toEqual([]);
    },
    60_000 + rounds * 60_000,
  );
});
