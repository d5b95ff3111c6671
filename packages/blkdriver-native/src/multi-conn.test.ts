import { describe, expect, test } from '@jest/globals';

import { BLOCK_SIZE, VirtualDisk } from './index.js';
import { NbdClient } from './testing/nbd-client.js';
import { ServingProcess } from './testing/run.js';
import { Scratch } from './testing/scratch.js';

const blocks = 64;
const content = (block: number): Buffer => Buffer.alloc(BLOCK_SIZE, block + 1);

describe('a flush on one connection', () => {
  test('makes durable what every connection had acknowledged, and nothing is lost in a power loss', async () => {
    await using scratch = await Scratch.create();
    const chain = await scratch.chain(blocks * BLOCK_SIZE, 0);
    const socketPath = scratch.path('s');
    await using server = await ServingProcess.start({ chain, serve: { socketPath } });
    const clients = await Promise.all(
      Array.from({ length: 4 }, () => NbdClient.connect(socketPath)),
    );
    const clientOf = (block: number): NbdClient => {
      const client = clients[block % clients.length];
      if (client === undefined) throw new Error('there are no clients');
      return client;
    };
    const flushed = Array.from({ length: blocks / 2 }, (_, i) => i);
    await Promise.all(
      flushed.map((block) => clientOf(block).write(block * BLOCK_SIZE, content(block))),
    );
    await clientOf(0).flush();
    for (let block = blocks / 2; block < blocks; block++) {
      await clientOf(block).write(block * BLOCK_SIZE, content(block));
    }
    await server.kill('SIGKILL');
    for (const client of clients) client.close();

    // Opened as if the machine had gone down: only what a flush covered is believed.
    await using disk = await VirtualDisk.open(chain, { assumePowerLoss: true });
    for (const block of flushed) {
      expect(await disk.read(BigInt(block * BLOCK_SIZE), BLOCK_SIZE)).toEqual(content(block));
    }
    for (let block = blocks / 2; block < blocks; block++) {
      const found = await disk.read(BigInt(block * BLOCK_SIZE), BLOCK_SIZE);
      expect([0, block + 1]).toContain(found[0]); // whole old or whole new
      expect(found.every((byte) => byte === found[0])).toBe(true);
    }
  });
});
