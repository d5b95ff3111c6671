import { randomBytes } from 'node:crypto';
import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { DiskChain } from '../disk-chain.js';
import { createOverlay } from '../overlay.js';

/** A directory of a test's own, removed with everything in it. */
export class Scratch implements AsyncDisposable {
  private constructor(readonly dir: string) {}

  static async create(): Promise<Scratch> {
    // Short: a unix socket's path has 107 bytes at most.
    return new Scratch(await mkdtemp(join(tmpdir(), 'blk-')));
  }

  path(name: string): string {
    return join(this.dir, name);
  }

  /** A sparse base image: `dataBytes` random bytes in front, a hole behind. */
  async base(sizeBytes: number, dataBytes = sizeBytes, name = 'base'): Promise<string> {
    const file = await open(this.path(name), 'w');
    try {
      await file.truncate(sizeBytes);
      await file.write(randomBytes(Math.min(dataBytes, sizeBytes)), 0, undefined, 0);
    } finally {
      await file.close();
    }
    return this.path(name);
  }

  /** A base with an empty overlay on it. */
  async chain(sizeBytes: number, dataBytes = sizeBytes): Promise<DiskChain> {
    const base = await this.base(sizeBytes, dataBytes);
    const overlay = this.path('overlay');
    await createOverlay(overlay, { sizeBytes: BigInt(sizeBytes) });
    return { base, layers: [], overlay };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.dir, { recursive: true, force: true });
  }
}
