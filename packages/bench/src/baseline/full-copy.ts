import { createReadStream } from 'node:fs';
import { spawn } from 'node:child_process';

import type { StateFiles, Traffic } from './state-files.js';

const ZSTD_LEVEL = 3;

/** What a full copy through zstd sends: no base is used at all. */
export async function measureFullCopy(
  target: StateFiles,
  options: { signal?: AbortSignal } = {},
): Promise<Traffic & { readonly byPart: Readonly<Record<keyof StateFiles, number>> }> {
  const byPart = {
    ram: await compressedBytes(target.ram, options.signal),
    disk: await compressedBytes(target.disk, options.signal),
    device: await compressedBytes(target.device, options.signal),
  };
  const total = byPart.ram + byPart.disk + byPart.device;
  return { total, sent: total, received: 0, byPart };
}

async function compressedBytes(path: string, signal: AbortSignal | undefined): Promise<number> {
  const child = spawn('zstd', [`-${String(ZSTD_LEVEL)}`, '-T0', '-c', '-q'], {
    stdio: ['pipe', 'pipe', 'inherit'],
    ...(signal === undefined ? {} : { signal }),
  });
  createReadStream(path, { highWaterMark: 1 << 20 }).pipe(child.stdin);
  let bytes = 0;
  for await (const chunk of child.stdout) bytes += (chunk as Buffer).length;
  return bytes;
}
