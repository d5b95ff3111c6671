import { describe, expect, test } from '@jest/globals';
import type { EncodeOptions, ResidueFrame } from '@reprise/differ';
import fc from 'fast-check';

import { BLOCK_DIGEST_BYTES } from '../supervisor/written-blocks.js';

import { ShippingFront, type ShippingFrontOptions } from './shipping-front.js';

const FRAME_BLOCKS = 8;
const RAM_PAGES = 20;

/** The digest of a block of the target; `other` is that of another content. */
const digestOf = (block: number, other = 0) => Buffer.from([block & 255, block >> 8, other, 0]);

/** A residue of `blocks` disk blocks and some memory, in frames of eight pages, as the differ encodes it. */
class Residue {
  readonly entries: ShippingFrontOptions['residue']['entries'];

  constructor(readonly blocks: readonly number[]) {
    const ram = Array.from({ length: RAM_PAGES }, (_, page) => BigInt(page) << 1n);
    const disk = blocks.map((block) => (BigInt(block) << 1n) | 1n);
    const pages = BigUint64Array.from([...ram, ...disk]);
    const none = new BigUint64Array(0);
    this.entries = { pages, classes: new Uint8Array(pages.length), sources: none, hints: none };
  }

  async *encode(o: EncodeOptions = {}): AsyncGenerator<ResidueFrame, void, undefined> {
    const space = o.spaces?.[0] ?? 'disk';
    const gone = new Set(listed(o.applied?.[space] ?? new BigUint64Array(0)));
    const order = o.diskOrder instanceof BigUint64Array ? listed(o.diskOrder) : [];
    const all = space === 'ram' ? [...Array(RAM_PAGES).keys()] : [...order, ...this.blocks];
    const left = [...new Set(all)].filter((page) => !gone.has(page));
    for (let at = 0; at < left.length; at += FRAME_BLOCKS) {
      const pages = left.slice(at, at + FRAME_BLOCKS);
      await Promise.resolve();
      yield {
        ...{ space, bytes: new Uint8Array(pages.length), pages: pages.length },
        counts: { zero: 0, base: 0, twin: 0, replay: 0, delta: pages.length },
        covered: BigUint64Array.from(
          pages.toSorted((a, b) => a - b).flatMap((page) => [BigInt(page), 1n]),
        ),
      };
    }
  }
}

function listed(runs: BigUint64Array): number[] {
  const pages: number[] = [];
  for (let i = 0; i + 1 < runs.length; i += 2)
    for (let n = 0; n < Number(runs[i + 1]); n++) pages.push(Number(runs[i]) + n);
  return pages;
}

const wrote = (blocks: readonly number[], other = 0) => ({
  blocks,
  digests: Buffer.concat(blocks.map((block) => digestOf(block, other))),
});

function frontOf(residue: Residue, lastWrittenFirst: readonly number[]) {
  const sent: number[] = [];
  const ram: number[] = [];
  const front = new ShippingFront({
    residue,
    diskOrder: BigUint64Array.from(lastWrittenFirst.flatMap((block) => [BigInt(block), 1n])),
    digestsOf: (blocks) => Promise.resolve(Buffer.concat(blocks.map((block) => digestOf(block)))),
    start: () => Promise.resolve(),
    send: async (frame) => {
      (frame.space === 'ram' ? ram : sent).push(...listed(frame.covered));
      await Promise.resolve();
    },
  });
  return { front, sent, ram };
}

const hundred = Array.from({ length: 100 }, (_, i) => i);

describe('what is shipped ahead', () => {
  test('begins with the block that was written last, and is all of it when nothing was replayed', async () => {
    const { front, sent, ram } = frontOf(new Residue(hundred), hundred.toReversed());
    await front.run(new AbortController().signal);
    expect(sent.slice(0, FRAME_BLOCKS).sort((a, b) => b - a)).toEqual([
      99, 98, 97, 96, 95, 94, 93, 92,
    ]);
    expect(new Set(sent)).toEqual(new Set(hundred));
    expect(ram).toHaveLength(RAM_PAGES);
    expect(front.isComplete).toBe(true);
    expect(listed(front.shipped.disk)).toEqual(hundred);
  });

  test('leaves out what the replay has produced, by its last content', async () => {
    const { front, sent } = frontOf(new Residue(hundred), hundred.toReversed());
    await front.replayed(wrote(hundred.slice(0, 48)));
    // Of these the replay has written something else by now.
    await front.replayed(wrote(hundred.slice(40, 48), 1));
    await front.run(new AbortController().signal);
    // A frame that is not full is filled up.
    expect(sent.length).toBeLessThan(60 + FRAME_BLOCKS);
    expect(sent).toEqual(expect.arrayContaining(hundred.slice(40)));
    expect(front.isComplete).toBe(false);
    expect(front.positions).toEqual({
      ...{ shipped: sent.length, replayed: 100 - sent.length },
      blocks: 100,
    });
  });

  test('stops where the fronts meet', async () => {
    const { front, sent } = frontOf(new Residue(hundred), hundred.toReversed());
    const told = front.run(new AbortController().signal);
    await front.replayed(wrote(hundred.slice(0, 70)));
    await told;
    expect(sent.length).toBeLessThan(70);
    expect(sent).toEqual(expect.arrayContaining(hundred.slice(70)));
  });

  test('never goes twice, and is always all but what was replayed, whatever is told and when', async () => {
    const course = fc.array(
      fc.record({ blocks: fc.uniqueArray(fc.nat(140), { maxLength: 60 }), other: fc.nat(1) }),
      { maxLength: 6 },
    );
    await fc.assert(
      fc.asyncProperty(course, async (told) => {
        const { front, sent } = frontOf(new Residue(hundred), hundred.toReversed());
        const running = front.run(new AbortController().signal);
        for (const { blocks, other } of told) {
          const list = wrote(
            blocks.toSorted((a, b) => a - b),
            other,
          );
          expect(list.digests).toHaveLength(blocks.length * BLOCK_DIGEST_BYTES);
          await front.replayed(list);
        }
        await running;
        expect(new Set(sent).size).toBe(sent.length);
        const { shipped, replayed } = front.positions;
        expect(shipped).toBe(sent.length);
        expect(shipped + replayed).toBe(100);
      }),
    );
  });

  test('ends at once when the race is over', async () => {
    const over = new AbortController();
    const { front, sent } = frontOf(new Residue(hundred), hundred.toReversed());
    over.abort();
    await front.run(over.signal);
    expect(sent).toEqual([]);
  });
});
