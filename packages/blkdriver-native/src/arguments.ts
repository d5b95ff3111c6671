import { BLOCK_SIZE } from './block.js';
import { invalidArgument } from './errors.js';

const largestOffset = 1n << 63n;
/** Longer reads would take a Buffer that Node cannot make. */
const mostBytes = 2 ** 30;

export function checkOffset(offsetBytes: bigint): void {
  if (typeof offsetBytes !== 'bigint' || offsetBytes < 0n || offsetBytes >= largestOffset) {
    throw invalidArgument(
      'An offset must be a bigint from 0n on. Pass bytes from the disk start.',
      {
        offsetBytes,
      },
    );
  }
}

export function checkLength(lengthBytes: number): void {
  if (!Number.isInteger(lengthBytes) || lengthBytes < 0 || lengthBytes > mostBytes) {
    throw invalidArgument('A length must be an integer from 0 to 1 GiB. Read in several calls.', {
      lengthBytes,
    });
  }
}

export function checkSize(sizeBytes: bigint): void {
  if (typeof sizeBytes !== 'bigint' || sizeBytes <= 0n || sizeBytes % 512n !== 0n) {
    throw invalidArgument('A disk size must be a positive multiple of 512n bytes.', { sizeBytes });
  }
}

/** Runs of blocks: pairs, ascending, disjoint, inside the disk. */
export function checkRuns(runs: BigUint64Array, sizeBytes: bigint): void {
  const blocks = (sizeBytes + BigInt(BLOCK_SIZE) - 1n) / BigInt(BLOCK_SIZE);
  let end = 0n;
  let valid = runs.length % 2 === 0;
  for (let i = 0; valid && i < runs.length; i += 2) {
    const first = runs[i] ?? 0n;
    const count = runs[i + 1] ?? 0n;
    valid = count > 0n && first >= end && first + count <= blocks;
    end = first + count;
  }
  if (!valid) {
    throw invalidArgument(
      'Block runs must be [first, count, …], ascending, disjoint and inside the disk.',
      { runs: runs.length / 2 },
    );
  }
}
