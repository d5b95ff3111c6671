import { DIGEST_SIZE, merkleParents } from '@reprise/differ';

/**
 * Finding the leaves in which two Merkle trees differ, in two rounds: a level near the top, then the
 * leaves below the nodes that differ. Digests are cut short: this finds, the root proves.
 */

/** The level that is compared first has at most this many nodes. */
const TOP_NODES = 1024;
const SHORT_DIGEST = 8;

export class LeafDescent {
  readonly #leaves: Uint8Array;
  readonly #top: Uint8Array;
  /** How many levels the top stands above the leaves. */
  readonly #height: number;

  /** @param leaves the digests of all leaves, 32 B each */
  constructor(leaves: Uint8Array) {
    this.#leaves = leaves;
    let level = leaves;
    let height = 0;
    while (level.length / DIGEST_SIZE > TOP_NODES) {
      level = merkleParents(level);
      height++;
    }
    this.#top = level;
    this.#height = height;
  }

  /** The first round: the digests near the top. */
  top(): Uint8Array {
    return shorten(this.#top);
  }

  /** The numbers of the leaves below some nodes of the top. */
  leavesBelow(nodes: readonly number[]): number[] {
    const width = 2 ** this.#height;
    const count = this.#leaves.length / DIGEST_SIZE;
    return nodes.flatMap((node) => {
      const first = node * width;
      return Array.from(
        { length: Math.max(0, Math.min(count - first, width)) },
        (_, i) => first + i,
      );
    });
  }

  /** The second round: the digests of these leaves. */
  ofLeaves(leaves: readonly number[]): Uint8Array {
    return shorten(
      Buffer.concat(
        leaves.map((leaf) => this.#leaves.subarray(leaf * DIGEST_SIZE, (leaf + 1) * DIGEST_SIZE)),
      ),
    );
  }
}

/** Positions at which two lists of short digests differ; undefined when they do not fit each other. */
export function differing(mine: Uint8Array, theirs: Uint8Array): number[] | undefined {
  if (mine.length !== theirs.length) return undefined;
  const positions: number[] = [];
  for (let at = 0; at < mine.length; at += SHORT_DIGEST) {
    const [a, b] = [mine.subarray(at, at + SHORT_DIGEST), theirs.subarray(at, at + SHORT_DIGEST)];
    if (Buffer.compare(a, b) !== 0) positions.push(at / SHORT_DIGEST);
  }
  return positions;
}

/** Positions as bits, the low bit of a byte first. */
export function toBits(positions: readonly number[], total: number): Uint8Array {
  const bits = new Uint8Array(Math.ceil(total / 8));
  for (const at of positions) bits[at >> 3] = (bits[at >> 3] ?? 0) | (1 << (at & 7));
  return bits;
}

export function fromBits(bits: Uint8Array): number[] {
  const positions: number[] = [];
  for (let at = 0; at < bits.length * 8; at++) {
    if (((bits[at >> 3] ?? 0) & (1 << (at & 7))) !== 0) positions.push(at);
  }
  return positions;
}

/** How many digests a round carries. */
export function digestsIn(round: Uint8Array): number {
  return round.length / SHORT_DIGEST;
}

function shorten(digests: Uint8Array): Uint8Array {
  const short = new Uint8Array((digests.length / DIGEST_SIZE) * SHORT_DIGEST);
  for (let i = 0; i < digests.length / DIGEST_SIZE; i++) {
    short.set(digests.subarray(i * DIGEST_SIZE, i * DIGEST_SIZE + SHORT_DIGEST), i * SHORT_DIGEST);
  }
  return short;
}
