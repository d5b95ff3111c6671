import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';

import { describe, expect, test } from '@jest/globals';

import { BLOCK_SIZE, DirtyKind, VirtualDisk } from './index.js';
import type { DiskChain } from './index.js';
import { NbdClient } from './testing/nbd-client.js';
import { ServingProcess } from './testing/run.js';
import { Scratch } from './testing/scratch.js';

/** How often the driver is killed. */
const usualRounds = process.env['REPRISE_LONG'] === '1' ? 100 : 4;
const rounds = Number(process.env['REPRISE_BLK_KILL_ROUNDS'] ?? usualRounds);
const blocks = 1024;
const inFlight = 16;
/** Files so small that a kill comes amid new segments and compactions. */
const open = { logSegmentBytes: 4096, logCompactBytes: 8192 };

/** What the test knows of one block: the oracle. */
interface BlockModel {
  /** Last acknowledged version, 0 for the base's. */
  acknowledged: number;
  /** Version that was sent and is not acknowledged. */
  sent?: number | undefined;
  sentAt: number;
  acknowledgedAt: number;
}

function content(block: number, version: number): Buffer {
  const data = Buffer.alloc(BLOCK_SIZE);
  for (let i = 0; i < BLOCK_SIZE; i += 8) {
    data.writeUInt32LE(block, i);
    data.writeUInt32LE(version, i + 4);
  }
  return data;
}

/** Keeps `inFlight` writes going until the connection breaks. */
async function writeUntilKilled(client: NbdClient, model: BlockModel[], clock: { now: number }) {
  const worker = async (): Promise<void> => {
    for (let i = 0; ; i++) {
      const block = Math.floor(Math.random() * blocks);
      const entry = model[block];
      if (entry === undefined || entry.sent !== undefined) continue;
      const version = entry.acknowledged + 1 + (i & 1);
      entry.sent = version;
      entry.sentAt = ++clock.now;
      try {
        await client.write(block * BLOCK_SIZE, content(block, version));
        if (i % 50 === 49) await client.flush();
      } catch {
        return; // killed: whether this one was done is not known
      }
      entry.acknowledged = version;
      entry.acknowledgedAt = ++clock.now;
      entry.sent = undefined;
    }
  };
  await Promise.all(Array.from({ length: inFlight }, worker));
}

/** Where each block's last mark stands in the log. */
async function lastMarks(disk: VirtualDisk): Promise<Map<number, number>> {
  const positions = new Map<number, number>();
  let position = 0;
  for await (const batch of disk.dirtyLog()) {
    for (let i = 0; i < batch.length; i++) {
      if (batch.kinds[i] !== DirtyKind.write) continue;
      for (let n = 0; n < (batch.blockCounts[i] ?? 0); n++) {
        positions.set(Number(batch.firstBlocks[i]) + n, position++);
      }
    }
  }
  return positions;
}

async function check(chain: DiskChain, model: BlockModel[]): Promise<void> {
  await using disk = await VirtualDisk.open(chain, open);
  const all = await disk.read(0n, blocks * BLOCK_SIZE);
  const marks = await lastMarks(disk);
  const wrong: string[] = [];
  const settled: { sentAt: number; acknowledgedAt: number; mark: number }[] = [];
  model.forEach((entry, block) => {
    const found = all.subarray(block * BLOCK_SIZE, (block + 1) * BLOCK_SIZE);
    const allowed = [entry.acknowledged, entry.sent].filter((version) => version !== undefined);
    const version = allowed.find((v) => v > 0 && found.equals(content(block, v)));
    const unwritten = entry.acknowledged === 0 && found.every((byte) => byte === 0);
    if (version === undefined && !unwritten) wrong.push(`block ${block} is neither old nor new`);
    const mark = marks.get(block);
    if (!unwritten && mark === undefined) wrong.push(`block ${block} has no mark`);
    if (entry.sent === undefined && mark !== undefined) settled.push({ ...entry, mark });
    // From here on the content of what was in flight is known, but not whether its
    // mark is from then or from before: it says nothing about order.
    entry.acknowledged = version ?? 0;
    if (entry.sent !== undefined) {
      entry.sentAt = 0;
      entry.acknowledgedAt = Number.MAX_SAFE_INTEGER;
    }
    entry.sent = undefined;
  });
  for (const a of settled) {
    for (const b of settled) {
      // One acknowledged before the other was sent: the log must say so.
      if (a.acknowledgedAt < b.sentAt && a.mark > b.mark) wrong.push('two marks changed places');
    }
  }
  expect(wrong).toEqual([]);
}

describe('a driver that is killed while it serves', () => {
  test(
    `loses no acknowledged write, no mark and no order in ${rounds} kills`,
    async () => {
      await using scratch = await Scratch.create();
      const chain = await scratch.chain(blocks * BLOCK_SIZE, 0);
      const model = Array.from({ length: blocks }, (): BlockModel => {
        return { acknowledged: 0, sentAt: 0, acknowledgedAt: 0 };
      });
      const clock = { now: 0 };
      for (let round = 0; round < rounds; round++) {
        const socketPath = scratch.path('s');
        await using server = await ServingProcess.start({ chain, open, serve: { socketPath } });
        const client = await NbdClient.connect(socketPath);
        const writing = writeUntilKilled(client, model, clock);
        await sleep(20 + Math.random() * 200);
        await server.kill('SIGKILL');
        await writing;
        client.close();
        await check(chain, model);
      }
    },
    60_000 + rounds * 10_000,
  );

  test('has every block that fio changed in its log', async () => {
    await using scratch = await Scratch.create();
    const size = 32 << 20;
    const chain = await scratch.chain(size);
    const socketPath = scratch.path('s');
    await using server = await ServingProcess.start({ chain, serve: { socketPath } });
    const fio = spawn(
      'fio',
      [
        ...['--name=w', '--ioengine=nbd', `--uri=nbd+unix:///disk?socket=${socketPath}`],
        ...['--rw=randwrite', '--bs=4k', '--iodepth=32', `--size=${size}`, '--fsync=64'],
        ...['--time_based', '--runtime=60'],
      ],
      { stdio: 'ignore' },
    );
    const ended = once(fio, 'exit');
    await sleep(1500);
    await server.kill('SIGKILL');
    fio.kill('SIGKILL');
    await ended;

    await using disk = await VirtualDisk.open(chain);
    const marks = await lastMarks(disk);
    let changed = 0;
    for (let block = 0; block < size / BLOCK_SIZE; block++) {
      const at = BigInt(block * BLOCK_SIZE);
      const [now, before] = await Promise.all([
        disk.read(at, BLOCK_SIZE),
        disk.readBase(at, BLOCK_SIZE),
      ]);
      if (now.equals(before)) continue;
      changed++;
      expect(marks.has(block)).toBe(true);
    }
    expect(changed).toBeGreaterThan(0);
  });
});
