import { randomFillSync } from 'node:crypto';
import { open } from 'node:fs/promises';
import { join } from 'node:path';

import { fileImage, PAGE_SIZE, type Image } from '@reprise/differ';

const BATCH_PAGES = 1024;
/** What a write to a page changes of it. */
const CHANGED_BYTES = 512;

export interface Memories {
  readonly base: Image;
  readonly target: Image;
}

/** A memory of distinct pages, and what a session left of it: a share of the pages, spread all over, changed in part. */
export async function writeMemories(
  directory: string,
  options: { readonly pages: number; readonly changedShare: number; readonly signal: AbortSignal },
): Promise<Memories> {
  const [base, target] = [join(directory, 'base'), join(directory, 'target')];
  await writeMemory(base, { ...options, changedShare: 0 });
  await writeMemory(target, options);
  return { base: await fileImage(base), target: await fileImage(target) };
}

async function writeMemory(
  path: string,
  { pages, changedShare, signal }: Parameters<typeof writeMemories>[1],
): Promise<void> {
  const file = await open(path, 'w', 0o600);
  try {
    const bytes = Buffer.alloc(BATCH_PAGES * PAGE_SIZE, 'a page of a memory, like any other. ');
    for (let first = 0; first < pages; first += BATCH_PAGES) {
      signal.throwIfAborted();
      for (let i = 0; i < BATCH_PAGES; i++) writePage(bytes, i, first + i, changedShare);
      await file.write(bytes, 0, Math.min(BATCH_PAGES, pages - first) * PAGE_SIZE);
    }
  } finally {
    await file.close();
  }
}

/** Every line of a page tells it from all others; that of a change is at its end, random. */
function writePage(bytes: Buffer, slot: number, number: number, changedShare: number): void {
  const page = bytes.subarray(slot * PAGE_SIZE, (slot + 1) * PAGE_SIZE);
  for (let at = 0; at < PAGE_SIZE; at += 512) page.writeUInt32LE(number, at);
  const tail = page.subarray(PAGE_SIZE - CHANGED_BYTES + 4);
  // A multiplicative hash of the number: the same pages each time, in no pattern.
  const isChanged = ((number * 2654435761) % 2 ** 32) / 2 ** 32 < changedShare;
  if (isChanged) randomFillSync(tail);
  else tail.fill('a page of a memory, like any other. ');
}
