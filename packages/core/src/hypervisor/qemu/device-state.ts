import { createReadStream, createWriteStream } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { connect, createServer, type Socket } from 'node:net';
import { pipeline } from 'node:stream/promises';

import { RepriseError } from '../../errors.js';

import type { QmpClient } from './qmp.js';

/**
 * The device state travels through a unix socket of ours: no shell command, and no descriptor that
 * Node could not pass. RAM stays in its shared file (x-ignore-shared), so the stream is small.
 */

const MIGRATION_TIMEOUT_MS = 120_000;
const QEMU_HUNG_UP = new Set(['EPIPE', 'ECONNRESET', 'ERR_STREAM_PREMATURE_CLOSE']);

/** QEMU's answer to query-migrate: `completed` and `failed` are final. */
interface MigrationInfo {
  readonly status?: string;
  readonly 'error-desc'?: string;
}

export interface TransferOptions {
  readonly signal: AbortSignal | undefined;
  /** How often network cards announce themselves after a resume; packets that the guest never sent. */
  readonly announceRounds: number;
}

/** Capabilities and limits that both directions share. */
async function prepare(qmp: QmpClient, announceRounds: number): Promise<void> {
  await qmp.execute('migrate-set-capabilities', {
    capabilities: [
      { capability: 'x-ignore-shared', state: true },
      { capability: 'events', state: true },
    ],
  });
  await qmp.execute('migrate-set-parameters', {
    'max-bandwidth': 10_000_000_000,
    'announce-rounds': announceRounds,
  });
}

/** Saves the device state of a paused guest, durably: when `file` exists, it is complete. */
export async function saveDeviceState(
  qmp: QmpClient,
  socketPath: string,
  file: string,
  { signal, announceRounds }: TransferOptions,
): Promise<void> {
  await prepare(qmp, announceRounds);
  const partial = `${file}.partial`;
  const server = createServer();
  await rm(socketPath, { force: true });
  try {
    const accepted = new Promise<Socket>((resolve, reject) => {
      server.once('connection', resolve);
      server.once('error', reject);
    });
    await new Promise<void>((resolve) => server.listen(socketPath, resolve));
    const ended = migrationEnd(qmp, 'saving the device state', signal);
    const written = accepted.then((socket) => pipeline(socket, createWriteStream(partial)));
    await qmp.execute('migrate', { uri: `unix:${socketPath}` });
    const [status] = await Promise.all([ended, written]);
    if (status !== 'completed') throw await failure(qmp, 'SUSPEND_FAILED', 'saved');
    await syncFile(partial);
    await rename(partial, file);
  } finally {
    server.close();
    await rm(socketPath, { force: true });
  }
}

/** Loads a device state into a QEMU that was started with `-incoming defer`. */
export async function loadDeviceState(
  qmp: QmpClient,
  socketPath: string,
  file: string,
  { signal, announceRounds }: TransferOptions,
): Promise<void> {
  await prepare(qmp, announceRounds);
  await rm(socketPath, { force: true });
  const ended = migrationEnd(qmp, 'loading the device state', signal);
  await qmp.execute('migrate-incoming', { uri: `unix:${socketPath}` });
  const socket = connect({ path: socketPath });
  const sent = pipeline(createReadStream(file), socket);
  const [status] = await Promise.all([
    ended,
    // QEMU closes its end as soon as it has read what it needs; its verdict is the status.
    sent.catch((error: unknown) => {
      const code = (error as NodeJS.ErrnoException).code;
      if (code === undefined || !QEMU_HUNG_UP.has(code)) throw error;
    }),
  ]);
  await rm(socketPath, { force: true });
  if (status !== 'completed') throw await failure(qmp, 'RESUME_FAILED', 'loaded');
}

async function migrationEnd(
  qmp: QmpClient,
  what: string,
  signal: AbortSignal | undefined,
): Promise<string> {
  const event = await qmp.waitFor(
    ({ event, data }) =>
      event === 'MIGRATION' && (data['status'] === 'completed' || data['status'] === 'failed'),
    { timeoutMs: MIGRATION_TIMEOUT_MS, what, ...(signal === undefined ? {} : { signal }) },
  );
  return String(event.data['status']);
}

async function failure(
  qmp: QmpClient,
  code: 'SUSPEND_FAILED' | 'RESUME_FAILED',
  verb: string,
): Promise<RepriseError> {
  const info = (await qmp.execute('query-migrate')) as MigrationInfo;
  return new RepriseError(
    code,
    `The device state could not be ${verb}: ${info['error-desc'] ?? 'QEMU gave no reason'}. Both hosts need the same QEMU machine version (reprise doctor).`,
  );
}

async function syncFile(file: string): Promise<void> {
  const handle = await open(file, 'r+');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
