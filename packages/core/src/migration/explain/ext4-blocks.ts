import {
  BLOCK_BYTES,
  openExt4,
  type Ext4,
  type Extent,
  type Inode,
  type ReadBlock,
} from './ext4.js';

/** Some blocks of a file system, by whose they are. */
export interface FileBlocks {
  /** A path, or what of the file system itself. */
  readonly owner: string;
  /** Ascending. */
  readonly blocks: readonly number[];
}

/** What is no file's. */
const JOURNAL = 'the journal';
const INODES = 'tables of inodes (times, sizes, owners)';
const MAPS = 'maps of what is in use';
const NOBODY = 'free, deleted, or a file that only the journal knows yet';
const JOURNAL_INODE = 8;
const ROOT_INODE = 2;
/** Directories above each other; a damaged file system may have them in a ring. */
const MAX_DEPTH = 64;

/**
 * Whose the blocks `wanted` of an ext4 file system are, most blocks first; undefined for a disk that begins with
 * something else. Reads all inodes in use and all directories, a block at a time.
 */
export async function ownersOfBlocks(
  read: ReadBlock,
  wanted: readonly number[],
  signal?: AbortSignal,
): Promise<FileBlocks[] | undefined> {
  const fs = await openExt4(read);
  if (fs === undefined) return undefined;
  const sorted = Float64Array.from(wanted).sort();
  const left = new Set(wanted);
  const owned = new Map<string, number[]>();
  const give = (owner: string, block: number) => {
    if (!left.delete(block)) return;
    const blocks = owned.get(owner) ?? [];
    blocks.push(block);
    owned.set(owner, blocks);
  };
  for (const block of wanted) {
    const part = fs.partOf(block);
    if (part !== undefined) give(part === 'inodes' ? INODES : MAPS, block);
  }
  const found = new Map<number, number[]>();
  const directories: Inode[] = [];
  for await (const inode of fs.inodes()) {
    signal?.throwIfAborted();
    if (inode.isDirectory) directories.push(inode);
    const own = [...inode.extents, ...inode.nodes].flatMap((extent) => within(sorted, extent));
    if (own.length > 0) found.set(inode.number, own);
  }
  const names = await namesOf(fs, directories, signal);
  for (const [inode, blocks] of found) {
    const owner = inode === JOURNAL_INODE ? JOURNAL : pathOf(names, inode);
    for (const block of blocks) give(owner, block);
  }
  for (const block of left) give(NOBODY, block);
  return [...owned]
    .map(([owner, blocks]) => ({ owner, blocks: blocks.toSorted((a, b) => a - b) }))
    .sort((a, b) => b.blocks.length - a.blocks.length);
}

/** The blocks of an ascending list that an extent covers. */
function within(sorted: Float64Array, { first, count }: Extent): number[] {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sorted[middle] ?? 0) < first) low = middle + 1;
    else high = middle;
  }
  const found: number[] = [];
  for (; (sorted[low] ?? Infinity) < first + count; low++) found.push(sorted[low] ?? 0);
  return found;
}

type Names = ReadonlyMap<number, { readonly name: string; readonly parent: number }>;

async function namesOf(
  fs: Ext4,
  directories: readonly Inode[],
  signal: AbortSignal | undefined,
): Promise<Names> {
  const names = new Map<number, { name: string; parent: number }>();
  // No block belongs to two directories: more reads than blocks are a damaged file system's.
  let left = fs.blocks;
  for (const directory of directories) {
    signal?.throwIfAborted();
    for (const { first, count } of directory.extents) {
      for (let block = first; block < first + count && left > 0; block++, left--) {
        for (const { inode, name } of entriesOf(await fs.read(block))) {
          if (name !== '.' && name !== '..') names.set(inode, { name, parent: directory.number });
        }
      }
    }
  }
  return names;
}

/** inode u32 · length of the record u16 · of the name u8 · type u8 · name */
function* entriesOf(block: Buffer): Generator<{ inode: number; name: string }> {
  for (let at = 0; at + 8 <= BLOCK_BYTES;) {
    const length = block.readUInt16LE(at + 4);
    if (length < 8 || at + length > BLOCK_BYTES) return;
    const inode = block.readUInt32LE(at);
    const nameLength = block.readUInt8(at + 6);
    if (inode !== 0 && nameLength > 0 && 8 + nameLength <= length) {
      yield { inode, name: block.toString('utf8', at + 8, at + 8 + nameLength) };
    }
    at += length;
  }
}

function pathOf(names: Names, inode: number): string {
  const parts: string[] = [];
  let at = inode;
  while (at !== ROOT_INODE) {
    const known = names.get(at);
    if (known === undefined || parts.length > MAX_DEPTH) {
      return `a file without a name (inode ${String(inode)})`;
    }
    parts.unshift(known.name);
    at = known.parent;
  }
  return `/${parts.join('/')}`;
}
