import { RepriseError } from '../errors.js';
import { BLOCK_DIGEST_BYTES } from '../supervisor/written-blocks.js';

/**
 * The payload of `replayed`: blocks that a replay has written, with digests of what they hold now.
 *
 * ```
 * varint   number of runs
 * a run:   varint distance from the end of the run before (from 0, for the first), varint length (at least 1)
 * 4 B      a digest, for each block in order
 * ```
 * Varints are LEB128. Layout and limits: docs/formats/protocol.md.
 */
export interface Written {
  /** Ascending, each once. */
  readonly blocks: readonly number[];
  readonly digests: Uint8Array;
}

/** The most blocks in one message; a peer that names more is not listened to. */
export const MAX_WRITTEN = 32_768;

/** @param written at most {@link MAX_WRITTEN} blocks */
export function encodeWritten({ blocks, digests }: Written): Uint8Array {
  const runs = runsOf(blocks);
  const head: number[] = [];
  putVarint(head, runs.length);
  let end = 0;
  for (const { first, count } of runs) {
    putVarint(head, first - end);
    putVarint(head, count);
    end = first + count;
  }
  return Buffer.concat([Buffer.from(head), digests]);
}

/**
 * @param diskBlocks of the VM's disk: no block is beyond it
 * @throws RepriseError PROTOCOL_VIOLATION
 */
export function decodeWritten(bytes: Uint8Array, diskBlocks: number): Written {
  const reader = { bytes, at: 0 };
  const runs = varint(reader);
  const blocks: number[] = [];
  let end = 0;
  for (let i = 0; i < runs; i++) {
    const first = end + varint(reader);
    const count = varint(reader);
    end = first + count;
    if (count === 0 || end > diskBlocks || blocks.length + count > MAX_WRITTEN) throw malformed();
    for (let block = first; block < end; block++) blocks.push(block);
  }
  const digests = bytes.subarray(reader.at);
  if (digests.length !== blocks.length * BLOCK_DIGEST_BYTES) throw malformed();
  return { blocks, digests };
}

function runsOf(blocks: readonly number[]): { readonly first: number; count: number }[] {
  const runs: { readonly first: number; count: number }[] = [];
  for (const block of blocks) {
    const last = runs.at(-1);
    if (last !== undefined && last.first + last.count === block) last.count++;
    else runs.push({ first: block, count: 1 });
  }
  return runs;
}

function putVarint(out: number[], value: number): void {
  for (; value >= 0x80; value = Math.floor(value / 0x80)) out.push((value % 0x80) | 0x80);
  out.push(value);
}

/** Up to 2^35: a disk of 128 TiB. */
const MOST_DIGITS = 5;

function varint(reader: { readonly bytes: Uint8Array; at: number }): number {
  let value = 0;
  for (let digit = 0; digit < MOST_DIGITS; digit++) {
    const byte = reader.bytes[reader.at++];
    if (byte === undefined) break;
    value += (byte & 0x7f) * 2 ** (7 * digit);
    if (byte < 0x80) return value;
  }
  throw malformed();
}

function malformed(): RepriseError {
  return new RepriseError(
    'PROTOCOL_VIOLATION',
    'The other host sent a list of replayed blocks that does not fit this VM. Make sure that both hosts run the same reprise, then try again.',
  );
}
