import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';

import { compress } from '@reprise/differ';

/**
 * Content-defined chunking as casync and desync do it: FastCDC's gear hash and normalised cut points, chunks of 16 to
 * 256 KiB and 64 KiB in the mean, named by SHA-256. The new file's index travels, and each chunk that the old file does not have, through zstd.
 */
const MINIMUM = 16 << 10;
const MEAN = 64 << 10;
const MAXIMUM = 256 << 10;
const READ = 4 << 20;
/** FastCDC's normalisation: a harder mask before the mean size, an easier one after it. */
const MASK_HARD = 0x3ffff;
const MASK_EASY = 0x3fff;
/** A name and an end offset, as in a .caibx file. */
const INDEX_ENTRY_BYTES = 40;

const gear = (() => {
  const table = new Int32Array(256);
  for (let i = 0; i < 256; i++) {
    table[i] = createHash('sha256')
      .update(`gear ${String(i)}`)
      .digest()
      .readInt32LE(0);
  }
  return table;
})();

/** What must travel for whoever holds `base` to make `target`. */
export async function chunkedBytes(base: string, target: string): Promise<number> {
  const held = new Set<string>();
  await eachChunk(base, (name) => {
    held.add(name);
    return Promise.resolve();
  });
  let index = 0;
  let chunks = 0;
  await eachChunk(target, async (name, bytes) => {
    index += INDEX_ENTRY_BYTES;
    if (held.has(name)) return;
    held.add(name);
    chunks += (await compress(bytes, { level: 3 })).length;
  });
  return chunks + index;
}

async function eachChunk(
  path: string,
  visit: (name: string, bytes: Buffer) => Promise<void>,
): Promise<void> {
  const file = await open(path, 'r');
  try {
    let held = Buffer.alloc(0);
    let ended = false;
    while (!ended || held.length > 0) {
      if (!ended && held.length < MAXIMUM) {
        const more = Buffer.allocUnsafe(READ);
        const { bytesRead } = await file.read(more, 0, READ);
        ended = bytesRead === 0;
        held = Buffer.concat([held, more.subarray(0, bytesRead)]);
        continue;
      }
      const chunk = held.subarray(0, cutPoint(held));
      await visit(createHash('sha256').update(chunk).digest('hex'), chunk);
      held = held.subarray(chunk.length);
    }
  } finally {
    await file.close();
  }
}

/** Where the first chunk of `bytes` ends. */
export function cutPoint(bytes: Uint8Array): number {
  const end = Math.min(bytes.length, MAXIMUM);
  if (end <= MINIMUM) return end;
  let hash = 0;
  for (let i = MINIMUM; i < end; i++) {
    hash = ((hash << 1) + (gear[bytes[i] ?? 0] ?? 0)) | 0;
    if ((hash & (i < MEAN ? MASK_HARD : MASK_EASY)) === 0) return i + 1;
  }
  return end;
}
