import { VirtualDisk, type NbdServer } from '@reprise/blkdriver-native';

import { describeError } from '../errors.js';

import type { DiskOpen, DiskReply, DiskRequest, DiskWritten } from './disk-protocol.js';
import { writtenBlocks } from './written-blocks.js';

/**
 * The process that serves one VM's disk. It is apart from the supervisor so that a fault in native
 * code costs a reconnect, not the session: the overlay and its log survive kill -9.
 */

let disk: VirtualDisk | undefined;
let server: NbdServer | undefined;

/** Settles when the message is out: a channel that is closed before drops what it still holds. */
async function reply(message: DiskReply): Promise<void> {
  await new Promise<void>((resolve) => {
    process.send?.(message, () => {
      resolve();
    });
  });
}

async function open(request: DiskOpen): Promise<void> {
  const { base, layers, overlay, socketPath, exportName } = request;
  disk = await VirtualDisk.open({ base, layers, overlay });
  server = await disk.serve({ socketPath, exportName });
  await reply({ kind: 'serving' });
}

async function written({ key, againFrom, fromSequence, atMost }: DiskWritten): Promise<void> {
  if (disk === undefined) throw new Error('the disk is not open');
  const list = await writtenBlocks(disk, {
    key: Buffer.from(key, 'base64'),
    againFrom: BigInt(againFrom),
    fromSequence: BigInt(fromSequence),
    atMost,
  });
  await reply({
    kind: 'written',
    blocks: list.blocks,
    digests: Buffer.from(list.digests).toString('base64'),
    nextSequence: String(list.nextSequence),
  });
}

async function close(): Promise<void> {
  await server?.close();
  await disk?.flush();
  await disk?.close();
  await reply({ kind: 'closed' });
  process.disconnect();
}

async function perform(request: DiskRequest): Promise<void> {
  switch (request.kind) {
    case 'open':
      await open(request);
      return;
    case 'written':
      // It is only asked for to save bytes: the guest keeps its disk whatever comes of it.
      await written(request).catch((error: unknown) =>
        reply({ kind: 'failed', message: describeError(error) }),
      );
      return;
    case 'close':
      await close();
  }
}

process.on('message', (request: DiskRequest) => {
  perform(request).catch(async (error: unknown) => {
    process.exitCode = 1;
    await reply({ kind: 'failed', message: describeError(error) });
    process.disconnect();
  });
});

// Ctrl-C reaches the whole process group; the supervisor decides when the disk may go.
process.on('SIGINT', () => undefined);
