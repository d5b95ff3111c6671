import { PAGE_SIZE } from '@reprise/differ';

/** What became of a changed page, or what kind of content it had to carry. */
export const residueKinds = {
  zero: 'free or cleared: reads as zeros',
  moved: 'stood elsewhere in the base',
  copy: 'equal to another changed page (page cache and its file, shared memory)',
  times: 'the base’s page, only times of day in it changed',
  counters: 'the base’s page with a few words changed (counters, lists)',
  edited: 'the base’s page, changed in part',
  alike: 'resembles another page of the base (moved and changed)',
  fresh: 'memory or blocks that were empty before',
  rewritten: 'new content over old',
} as const;
export type ResidueKind = keyof typeof residueKinds;

/** Whose a page of memory is, as far as its content tells: no symbols and no page flags are needed. */
export const memoryOwners = {
  free: 'free: reads as zeros',
  cache: 'page cache: a block of the disk has the same content',
  kernel: 'the kernel’s own: many addresses of the kernel in it',
  device: 'what the display shows, and firmware',
  other: 'processes and everything else',
} as const;
export type MemoryOwner = keyof typeof memoryOwners;

/** Words of 8 B: a page with at most so many changed is counters and links. */
const FEW_WORDS = 32;
const HALF = PAGE_SIZE / 16;
/** Words that are addresses of the kernel: fewer stand on a process's page by chance, or on its stack. */
const KERNEL_WORDS = 8;
/** Where Linux on x86-64 has its memory, its modules and itself. */
const KERNEL_FROM = 0xffff_8000_0000_0000n;
const ALL_ONES = 0xffff_ffff_ffff_ffffn;
/** Seconds since 1970 that a clock may show: from 2001 to 2096. */
const EARLIEST = 1_000_000_000;
const LATEST = 4_000_000_000;
/** What a clock moves on in a session: at most 30 days. */
const LONGEST_SESSION = 30 * 86_400;

/** The kind of a page whose content neither is known from elsewhere nor zero. */
export function kindOf(before: Buffer, after: Buffer, isAlike: boolean): ResidueKind {
  let changed = 0;
  let used = 0;
  for (let at = 0; at < PAGE_SIZE; at += 8) {
    if (before.readBigUInt64LE(at) !== after.readBigUInt64LE(at)) changed++;
    if (before.readBigUInt64LE(at) !== 0n) used++;
  }
  if (used === 0) return isAlike ? 'alike' : 'fresh';
  if (changed <= FEW_WORDS) return changesOnlyTimes(before, after) ? 'times' : 'counters';
  if (changed <= HALF) return 'edited';
  return isAlike ? 'alike' : 'rewritten';
}

/** Whose a page is that is neither zero nor in the page cache. */
export function ownerOf(page: Buffer): MemoryOwner {
  let addresses = 0;
  for (let at = 0; at < PAGE_SIZE; at += 8) {
    const word = page.readBigUInt64LE(at);
    // All ones is -1, which everybody has.
    if (word >= KERNEL_FROM && word < ALL_ONES - 0xffffn) addresses++;
  }
  return addresses >= KERNEL_WORDS ? 'kernel' : 'other';
}

/** Each word of 4 B that changed is a later time, or the fraction of a second beside one. */
function changesOnlyTimes(before: Buffer, after: Buffer): boolean {
  let times = 0;
  for (let at = 0; at < PAGE_SIZE; at += 4) {
    const [was, is] = [before.readUInt32LE(at), after.readUInt32LE(at)];
    if (was === is) continue;
    if (isLater(was, is)) times++;
    else if (!standsBesideTime(before, after, at)) return false;
  }
  return times > 0;
}

function isLater(was: number, is: number): boolean {
  return was > EARLIEST && is < LATEST && is > was && is - was <= LONGEST_SESSION;
}

function standsBesideTime(before: Buffer, after: Buffer, at: number): boolean {
  return [at - 8, at - 4, at + 4].some(
    (beside) =>
      beside >= 0 &&
      beside + 4 <= PAGE_SIZE &&
      isLater(before.readUInt32LE(beside), after.readUInt32LE(beside)),
  );
}
