import { readdir } from 'node:fs/promises';

import { describe, expect, test } from '@jest/globals';

import { VirtualDisk } from './index.js';
import { firstBlockIsSevens, runDriverProgram, writeAndServe } from './testing/driver-program.js';
import { NbdClient } from './testing/nbd-client.js';
import { Scratch } from './testing/scratch.js';

/** Four clients that write without end, and one that flushes, until they are hung up on. */
const busyClients = `
const busy = async (work) => {
  const client = await NbdClient.connect(socketPath);
  for (;;) await Promise.all(Array.from({ length: 8 }, () => work(client)));
};
const block = Buffer.alloc(4096, 7);
const clients = [
  ...[1, 2, 3, 4].map((at) => busy((client) => client.write(at * 65536, block))),
  busy((client) => client.flush()),
].map((client) => client.catch(() => undefined));
while (disk.statistics().flushes < 3) await new Promise((resolve) => setTimeout(resolve, 1));
`;

describe('closing', () => {
  test('a server and its disk at once, twice, under busy clients, is safe and complete', async () => {
    await using scratch = await Scratch.create();
    const { chain, result } = await runDriverProgram(
      scratch,
      `
for (let round = 0; round < 8; round++) {
  ${writeAndServe}
  ${busyClients}
  await Promise.all([server.close(), disk.close(), disk.close(), server.close()]);
  // Free at once: whoever resolved first, everything had ended.
  await (await VirtualDisk.open(chain)).close();
  await Promise.all(clients);
  await Promise.all([server.close(), disk.close()]);
}
console.log('done');`,
    );
    expect(result).toMatchObject({ code: 0, stdout: 'done\n', stderr: '' });
    expect(await firstBlockIsSevens(chain)).toBe(true);
  }, 60_000);

  test('is not disturbed by the end of the process', async () => {
    for (const end of ['process.exit(3);', 'setImmediate(() => process.exit(3));']) {
      await using scratch = await Scratch.create();
      const { chain, result } = await runDriverProgram(
        scratch,
        `${writeAndServe} ${busyClients}
void server.close(); void disk.close(); ${end}`,
      );
      expect(result).toMatchObject({ code: 3, stderr: '' });
      expect(await firstBlockIsSevens(chain)).toBe(true);
    }
  }, 60_000);

  test('a disk that takes its time leaves the event loop free, whatever is asked meanwhile', async () => {
    await using scratch = await Scratch.create();
    const socketPath = scratch.path('s');
    const chain = await scratch.chain(1 << 20);
    const disk = await VirtualDisk.open(chain, { faults: { flushDelayUs: 1_000_000 } });
    const server = await disk.serve({ socketPath });
    const client = await NbdClient.connect(socketPath);
    const flushed = client.flush().catch((error: unknown) => error);
    // Answered behind the flush, which therefore is on its way by now.
    await client.write(0, Buffer.alloc(4096));
    const outcomes: unknown[] = [];
    const asking = setInterval(() => {
      try {
        outcomes.push([server.connections, disk.statistics()]);
      } catch (error) {
        outcomes.push((error as { code?: unknown }).code);
      }
    }, 5);
    await Promise.all([disk.close(), flushed]);
    clearInterval(asking);
    // A second at least; an event loop that is held up asks twice.
    expect(outcomes.length).toBeGreaterThan(10);
    expect(new Set(outcomes)).toEqual(new Set(['DISK_CLOSED']));
  }, 30_000);

  test('a server gives its threads back, and what it counted stays', async () => {
    await using scratch = await Scratch.create();
    await using disk = await VirtualDisk.open(await scratch.chain(1 << 20));
    const socketPath = scratch.path('s');
    const threads = async (): Promise<number> => (await readdir('/proc/self/task')).length;
    const serveOnce = async (): Promise<void> => {
      await using server = await disk.serve({ socketPath });
      const client = await NbdClient.connect(socketPath);
      await client.flush();
      expect(server.connections).toBe(1);
      client.close();
    };
    await serveOnce();
    const before = await threads();
    for (let i = 0; i < 5; i++) await serveOnce();
    expect(await threads()).toBeLessThanOrEqual(before);
    expect(disk.statistics()).toMatchObject({ connections: 0, connectionsAccepted: 6 });
  });
});
