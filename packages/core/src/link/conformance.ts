import { randomBytes } from 'node:crypto';
import { once } from 'node:events';

import { afterEach, describe, expect, test } from '@jest/globals';

import type { Link } from './link.js';

/** Two connected ends of one link, and how to clean up behind them. */
export interface LinkPair {
  readonly near: Link;
  readonly far: Link;
}

/** What the protocol relies on, whatever carries its bytes. */
export function linkConformance(name: string, connect: () => Promise<LinkPair>): void {
  describe(`${name} as a link`, () => {
    let pair: LinkPair | undefined;

    afterEach(async () => {
      await pair?.near.close();
      await pair?.far.close();
      pair = undefined;
    });

    test('carries bytes both ways at once, in order and unchanged', async () => {
      pair = await connect();
      const there = randomBytes(300_000);
      const back = randomBytes(200_000);
      const arrivedThere = read(pair.far, there.length);
      const arrivedBack = read(pair.near, back.length);
      pair.near.stream.write(there);
      pair.far.stream.write(back);
      expect((await arrivedThere).equals(there)).toBe(true);
      expect((await arrivedBack).equals(back)).toBe(true);
    });

    test('holds a writer back while the other end does not read', async () => {
      pair = await connect();
      const block = Buffer.alloc(1024 * 1024);
      let taken = 0;
      while (taken < 256 && pair.near.stream.write(block)) taken++;
      expect(taken).toBeLessThan(256);
    });

    test('ends the other side when it is closed, and may be closed twice', async () => {
      pair = await connect();
      const ended = once(pair.far.stream.resume(), 'close');
      await pair.near.close();
      await pair.near.close();
      await ended;
      expect(pair.far.stream.destroyed).toBe(true);
    });
  });
}

async function read(link: Link, bytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of link.stream.iterator({ destroyOnReturn: false })) {
    chunks.push(chunk as Buffer);
    length += (chunk as Buffer).length;
    if (length >= bytes) break;
  }
  return Buffer.concat(chunks);
}
