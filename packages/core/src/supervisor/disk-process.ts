import { VirtualDisk, type NbdServer } from '@reprise/blkdriver-native';

import { describeError } from '../errors.js';

import type { DiskOpen, DiskReply, DiskRequest } from './disk-protocol.js';

/**
 * The process that serves one VM's disk. It is apart from the supervisor so that a fault in native
 * code costs a reconnect, not the session: the overlay and its log survive kill -9.
 */

let disk: VirtualDisk | undefined;
let server: NbdServer | undefined;

function reply(message: DiskReply): void {
  process.send?.(message);
}

async function open(request: DiskOpen): Promise<void> {
  const { base, layers, overlay, socketPath, exportName } = request;
  disk = await VirtualDisk.open({ base, layers, overlay });
  server = await disk.serve({ socketPath, exportName });
  reply({ kind: 'serving' });
}

async function close(): Promise<void> {
  await server?.close();
  await disk?.flush();
  await disk?.close();
  reply({ kind: 'closed' });
  process.disconnect();
}

process.on('message', (request: DiskRequest) => {
  const work = request.kind === 'open' ? open(request) : close();
  work.catch((error: unknown) => {
    reply({ kind: 'failed', message: describeError(error) });
    process.exitCode = 1;
    process.disconnect();
  });
});

// Ctrl-C reaches the whole process group; the supervisor decides when the disk may go.
process.on('SIGINT', () => undefined);
