/**
 * As much of ext4 as it takes to say whose a block is. Everything read is a guest's: numbers are checked before they
 * are believed, and what makes no sense holds no blocks.
 */

/** Reads one block of 4 KiB; beyond the end it reads as zeros. */
export type ReadBlock = (block: number) => Promise<Buffer>;

export const BLOCK_BYTES = 4096;

export interface Inode {
  readonly number: number;
  readonly isDirectory: boolean;
  /** Where its content stands. */
  readonly extents: readonly Extent[];
  /** Where what says that stands. */
  readonly nodes: readonly Extent[];
}

/** Blocks in a row. */
export interface Extent {
  readonly first: number;
  readonly count: number;
}

export interface Ext4 {
  readonly read: ReadBlock;
  /** How many blocks there are. */
  readonly blocks: number;
  /** What of the file system itself a block is; undefined for a file's and for a free one. */
  partOf(block: number): 'inodes' | 'maps' | undefined;
  /** Those in use. */
  inodes(): AsyncGenerator<Inode>;
}

const MAGIC = 0xef53;
const EXTENT_MAGIC = 0xf30a;
const USES_EXTENTS = 0x8_0000;
const HAS_64_BITS = 0x80;
/** A file system of 16 TiB; more is taken for damage. */
const MAX_BLOCKS = 2 ** 32;
const MAX_GROUPS = 2 ** 17;
const MAX_EXTENT_DEPTH = 5;
/** Of one file; a damaged tree may name the same node over and over. */
const MAX_NODES = 65_536;

interface Geometry {
  readonly blocks: number;
  readonly inodes: number;
  readonly blocksPerGroup: number;
  readonly inodesPerGroup: number;
  readonly inodeBytes: number;
  readonly descriptorBytes: number;
  readonly groups: number;
}

interface Group {
  readonly bitmaps: readonly number[];
  readonly inodeTable: number;
  /** At the end of its table, never used. */
  readonly unusedInodes: number;
}

/** Undefined where the disk does not begin with an ext4 of 4 KiB blocks. */
export async function openExt4(read: ReadBlock): Promise<Ext4 | undefined> {
  const geometry = geometryOf((await read(0)).subarray(1024, 2048));
  if (geometry === undefined) return undefined;
  const groups = await groupsOf(read, geometry);
  const tableBlocks = Math.ceil((geometry.inodesPerGroup * geometry.inodeBytes) / BLOCK_BYTES);
  const tables = groups.map(({ inodeTable }) => ({ first: inodeTable, count: tableBlocks }));
  const descriptors = 1 + Math.ceil((geometry.groups * geometry.descriptorBytes) / BLOCK_BYTES);
  const maps = new Set(groups.flatMap(({ bitmaps }) => bitmaps));
  return {
    read,
    blocks: geometry.blocks,
    partOf: (block) => {
      if (tables.some((table) => covers(table, block))) return 'inodes';
      return maps.has(block) || block < descriptors ? 'maps' : undefined;
    },
    inodes: () => inodesOf(read, geometry, groups),
  };
}

function geometryOf(superblock: Buffer): Geometry | undefined {
  const isOurs = superblock.readUInt16LE(56) === MAGIC && superblock.readUInt32LE(24) === 2;
  if (!isOurs) return undefined;
  const is64 = (superblock.readUInt32LE(96) & HAS_64_BITS) !== 0;
  const high = is64 ? superblock.readUInt32LE(0x150) : 0;
  const blocks = superblock.readUInt32LE(4) + high * 2 ** 32;
  const blocksPerGroup = superblock.readUInt32LE(32);
  const geometry = {
    ...{ blocks, blocksPerGroup, inodes: superblock.readUInt32LE(0) },
    inodesPerGroup: superblock.readUInt32LE(40),
    inodeBytes: superblock.readUInt16LE(88),
    descriptorBytes: is64 ? superblock.readUInt16LE(254) : 32,
    groups: Math.ceil(blocks / blocksPerGroup),
  };
  const isSound =
    blocks <= MAX_BLOCKS &&
    geometry.groups <= MAX_GROUPS &&
    blocksPerGroup > 0 &&
    blocksPerGroup <= 8 * BLOCK_BYTES &&
    geometry.inodesPerGroup <= 8 * BLOCK_BYTES &&
    [128, 256, 512, 1024].includes(geometry.inodeBytes) &&
    [32, 64].includes(geometry.descriptorBytes);
  return isSound ? geometry : undefined;
}

async function groupsOf(read: ReadBlock, geometry: Geometry): Promise<Group[]> {
  const { descriptorBytes } = geometry;
  const aBlock = BLOCK_BYTES / descriptorBytes;
  const groups: Group[] = [];
  let block: Buffer = Buffer.alloc(0);
  for (let group = 0; group < geometry.groups; group++) {
    if (group % aBlock === 0) block = await read(1 + group / aBlock);
    const at = (group % aBlock) * descriptorBytes;
    const location = (low: number, high: number) =>
      block.readUInt32LE(at + low) +
      (descriptorBytes === 64 ? block.readUInt32LE(at + high) * 2 ** 32 : 0);
    groups.push({
      bitmaps: [location(0, 32), location(4, 36)],
      inodeTable: location(8, 40),
      unusedInodes: block.readUInt16LE(at + 28),
    });
  }
  return groups;
}

async function* inodesOf(
  read: ReadBlock,
  geometry: Geometry,
  groups: readonly Group[],
): AsyncGenerator<Inode> {
  const { inodeBytes, inodesPerGroup } = geometry;
  const aBlock = BLOCK_BYTES / inodeBytes;
  for (const [group, { inodeTable, unusedInodes }] of groups.entries()) {
    const used = Math.max(0, inodesPerGroup - unusedInodes);
    for (let first = 0; first < used; first += aBlock) {
      const block = await read(inodeTable + first / aBlock);
      for (let i = 0; i < aBlock && first + i < used; i++) {
        const raw = block.subarray(i * inodeBytes, (i + 1) * inodeBytes);
        if (raw.readUInt16LE(26) === 0) continue; // no links: free
        const number = group * inodesPerGroup + first + i + 1;
        yield await inodeOf(read, number, raw);
      }
    }
  }
}

async function inodeOf(read: ReadBlock, number: number, raw: Buffer): Promise<Inode> {
  const extents: Extent[] = [];
  const nodes: Extent[] = [];
  // Short links have their target where others have extents.
  const hasExtents = (raw.readUInt32LE(32) & USES_EXTENTS) !== 0;
  if (hasExtents) await readExtents(read, raw.subarray(40, 100), extents, nodes, 0);
  const isDirectory = (raw.readUInt16LE(0) & 0xf000) === 0x4000;
  return { number, isDirectory, extents, nodes };
}

/** A node of 12 B entries behind a header of 12 B: leaves name blocks, others name nodes. */
async function readExtents(
  read: ReadBlock,
  node: Buffer,
  extents: Extent[],
  nodes: Extent[],
  depth: number,
): Promise<void> {
  const isSound = node.readUInt16LE(0) === EXTENT_MAGIC && depth <= MAX_EXTENT_DEPTH;
  if (!isSound || nodes.length > MAX_NODES) return;
  const isLeaf = node.readUInt16LE(6) === 0;
  const count = Math.min(node.readUInt16LE(2), Math.floor(node.length / 12) - 1);
  for (let at = 12; at < 12 + count * 12; at += 12) {
    if (isLeaf) {
      const length = node.readUInt16LE(at + 4);
      const first = node.readUInt32LE(at + 8) + node.readUInt16LE(at + 6) * 2 ** 32;
      // Above 32768: reserved and not yet written.
      extents.push({ first, count: length > 32768 ? length - 32768 : length });
    } else {
      const block = node.readUInt32LE(at + 4) + node.readUInt16LE(at + 8) * 2 ** 32;
      nodes.push({ first: block, count: 1 });
      await readExtents(read, await read(block), extents, nodes, depth + 1);
    }
  }
}

function covers({ first, count }: Extent, block: number): boolean {
  return block >= first && block < first + count;
}
