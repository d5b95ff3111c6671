import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import { RepriseError } from '../errors.js';
import { BLOCK_DIGEST_BYTES } from '../supervisor/written-blocks.js';

import { decodeWritten, encodeWritten, MAX_WRITTEN } from './written-codec.js';

const DISK_BLOCKS = 2 ** 33;

const written = fc
  .uniqueArray(fc.oneof(fc.nat(300), fc.nat(DISK_BLOCKS - 1)), { maxLength: 200 })
  .chain((numbers) =>
    fc.record({
      blocks: fc.constant(numbers.sort((a, b) => a - b)),
      digests: fc.uint8Array({
        minLength: numbers.length * BLOCK_DIGEST_BYTES,
        maxLength: numbers.length * BLOCK_DIGEST_BYTES,
      }),
    }),
  );

describe('the list of replayed blocks', () => {
  test('arrives as it was sent', () => {
    fc.assert(
      fc.property(written, (list) => {
        const { blocks, digests } = decodeWritten(encodeWritten(list), DISK_BLOCKS);
        expect([blocks, [...digests]]).toEqual([list.blocks, [...list.digests]]);
      }),
    );
  });

  test('from a hostile peer is either taken, within the disk and the limit, or refused', () => {
    const hostile = fc.oneof(
      fc.uint8Array({ maxLength: 300 }),
      // One byte of a good one is another.
      fc.tuple(written, fc.nat(), fc.nat(255)).map(([list, at, byte]) => {
        const bytes = Uint8Array.from(encodeWritten(list));
        bytes[at % bytes.length] = byte;
        return bytes;
      }),
    );
    fc.assert(
      fc.property(hostile, fc.nat(5000), (bytes, diskBlocks) => {
        try {
          const { blocks, digests } = decodeWritten(bytes, diskBlocks);
          expect(digests).toHaveLength(blocks.length * BLOCK_DIGEST_BYTES);
          expect(blocks.length).toBeLessThanOrEqual(Math.min(diskBlocks, MAX_WRITTEN));
          expect(blocks.every((block, i) => i === 0 || block > (blocks[i - 1] ?? block))).toBe(
            true,
          );
        } catch (error) {
          expect(error).toBeInstanceOf(RepriseError);
          expect((error as RepriseError).code).toBe('PROTOCOL_VIOLATION');
        }
      }),
      { numRuns: 1000 },
    );
  });

  test('that names more blocks than a message may is refused before any are made', () => {
    const bytes = Uint8Array.from([1, 0, 0xff, 0xff, 0xff, 0xff, 0x7f]);
    expect(() => decodeWritten(bytes, DISK_BLOCKS)).toThrow(RepriseError);
  });
});
