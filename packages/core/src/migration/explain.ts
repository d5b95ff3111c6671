import { compress, ImageReader, PAGE_CLASSES, type PlanArrays, type Space } from '@reprise/differ';

import { RepriseError } from '../errors.js';
import type { SnapshotStore } from '../snapshot/index.js';
import { changeBetween, contentIndexOf, differFor, lineOf, type Change } from '../state/index.js';

import { describeDivergence } from './divergence.js';
import { ownersOfBlocks } from './explain/ext4-blocks.js';
import {
  kindOf,
  memoryOwners,
  ownerOf,
  residueKinds,
  type MemoryOwner,
  type ResidueKind,
} from './explain/page-kinds.js';
import { migrationHistory } from './history.js';
import type { MigrationReport } from './report.js';

export interface ResidueShare {
  readonly pages: number;
  /** What a coder needs for them against the base, an estimate that tells them apart. */
  readonly bytes: number;
}

export interface Explanation {
  readonly migration: string;
  readonly base: string;
  readonly target: string;
  readonly report: MigrationReport;
  readonly ram: Readonly<Record<ResidueKind, ResidueShare>>;
  readonly disk: Readonly<Record<ResidueKind, ResidueShare>>;
  /** The same pages of memory by whose they are, as far as their content tells. */
  readonly owners: Readonly<Record<MemoryOwner, ResidueShare>>;
  /** Whose the changed blocks of the disk are, most first; null where its file system is not one that can be read. */
  readonly files: readonly FileShare[] | null;
  /** What the base did not explain: what the replay held, and what was carried. */
  readonly unexplained: { readonly replayed: number; readonly carried: number };
  /** What would have made it smaller, a sentence each. */
  readonly advice: readonly string[];
}

export interface FileShare extends ResidueShare {
  /** A path in the guest, or a part of the file system. */
  readonly owner: string;
}

export interface ExplainOptions {
  readonly store: SnapshotStore;
  readonly name: string;
  /** The beginning of a migration's id; default: the newest. */
  readonly migration?: string;
  readonly signal?: AbortSignal;
}

const NOWHERE = 2n ** 64n - 1n;

/**
 * Says what the residue of a migration was made of, from the two snapshots, as long as this host holds
 * both. Throws SNAPSHOT_UNKNOWN when it does not, INVALID_ARGUMENT when there was no such migration.
 */
export async function explainMigration(options: ExplainOptions): Promise<Explanation> {
  const { store, name, signal } = options;
  const wanted = options.migration ?? '';
  const report = (await migrationHistory(store, name)).find(({ migration }) =>
    migration.startsWith(wanted),
  );
  if (report === undefined) {
    throw new RepriseError(
      'INVALID_ARGUMENT',
      `No migration of '${name}' from here begins with '${wanted}'. See: reprise history ${name}`,
    );
  }
  const { base, target } = await snapshotsOf(store, name, report);
  const cancel = signal === undefined ? {} : { signal };
  await using differ = await differFor(store, name);
  const change = await changeBetween(differ, base, target, signal);
  const ancestors = (await lineOf(store, name, base)).slice(1);
  const indexPath = await contentIndexOf(differ, base, { ...cancel, ancestors });
  await using plan = await differ.planResidue({ ...change, indexPath, ...cancel });
  const [ram, disk] = [emptyShares(residueKinds), emptyShares(residueKinds)];
  const owners = emptyShares(memoryOwners);
  const blocks = new Map<number, number>();
  const cached = entriesOfCache(plan.entries);
  await using pages = await openPages(change);
  for (const [entry, packed] of plan.entries.pages.entries()) {
    signal?.throwIfAborted();
    const { kind, bytes, owner } = await pages.describe(plan.entries, entry);
    const isRam = (packed & 1n) === 0n;
    add((isRam ? ram : disk)[kind], bytes);
    if (isRam) add(owners[cached.has(entry) ? 'cache' : owner], bytes);
    else blocks.set(Number(packed >> 1n), bytes);
  }
  const { replayed, carried } = unexplainedOf(report);
  return {
    ...{ migration: report.migration, base: base.root, target: target.root, report, ram, disk },
    ...{ owners, files: await filesOf(pages, blocks, signal), unexplained: { replayed, carried } },
    advice: adviceFor(report, ram, owners),
  };
}

async function snapshotsOf(store: SnapshotStore, name: string, report: MigrationReport) {
  const held = new Map((await store.listSnapshots(name)).map((one) => [one.root, one]));
  const [base, target] = [held.get(report.base), held.get(report.target)];
  if (base !== undefined && target !== undefined) return { base, target };
  throw new RepriseError(
    'SNAPSHOT_UNKNOWN',
    `This host no longer holds both snapshots of that migration, so it cannot say what changed between them. Explain a migration before the next one is over.`,
    { context: { base: report.base, target: report.target } },
  );
}

type Shares<Kind extends string = ResidueKind> = Record<Kind, { pages: number; bytes: number }>;

function emptyShares<Kind extends string>(kinds: Readonly<Record<Kind, string>>): Shares<Kind> {
  const names = Object.keys(kinds) as Kind[];
  return Object.fromEntries(names.map((kind) => [kind, { pages: 0, bytes: 0 }])) as Shares<Kind>;
}

function add(share: { pages: number; bytes: number }, bytes: number): void {
  share.pages++;
  share.bytes += bytes;
}

function unexplainedOf({ pages, residue }: MigrationReport) {
  return {
    replayed: pages.ram.replay + pages.disk.replay,
    carried: residue.ramPages + residue.diskBlocks,
  };
}

/** Entries of memory that the disk has too, as it was or as it is now: the page cache of some file. */
function entriesOfCache({ pages, classes, sources }: PlanArrays): ReadonlySet<number> {
  const isOnDisk = (packed: bigint | undefined) => ((packed ?? 0n) & 1n) === 1n;
  const cached = new Set<number>();
  for (const [entry, number] of classes.entries()) {
    const source = sources[entry] ?? NOWHERE;
    if (PAGE_CLASSES[number] === 'base' && isOnDisk(source)) cached.add(entry);
    if (PAGE_CLASSES[number] !== 'twin') continue;
    // Of two that are equal, one in memory and one on the disk, either may be the one that is told first.
    const original = Number(source);
    if (isOnDisk(pages[original]) !== isOnDisk(pages[entry])) {
      cached.add(isOnDisk(pages[entry]) ? original : entry);
    }
  }
  return cached;
}

/** The files that most blocks belong to, and the rest in one. */
const NAMED_FILES = 20;

async function filesOf(
  pages: Pages,
  blocks: ReadonlyMap<number, number>,
  signal: AbortSignal | undefined,
): Promise<FileShare[] | null> {
  const owned = await ownersOfBlocks(pages.readDisk, [...blocks.keys()], signal);
  if (owned === undefined) return null;
  const shares = owned.map(({ owner, blocks: own }) => ({
    ...{ owner, pages: own.length },
    bytes: own.reduce((sum, block) => sum + (blocks.get(block) ?? 0), 0),
  }));
  const rest = { owner: 'other files', pages: 0, bytes: 0 };
  for (const share of shares.slice(NAMED_FILES)) {
    rest.pages += share.pages;
    rest.bytes += share.bytes;
  }
  return [...shares.slice(0, NAMED_FILES), ...(rest.pages === 0 ? [] : [rest])];
}

interface Pages extends AsyncDisposable {
  describe(
    plan: PlanArrays,
    entry: number,
  ): Promise<{ kind: ResidueKind; bytes: number; owner: MemoryOwner }>;
  /** Of the target. */
  readonly readDisk: (block: number) => Promise<Buffer>;
}

async function openPages({ base, target, memoryPages }: Change): Promise<Pages> {
  const readers = {
    ram: [await ImageReader.open(base.ram), await ImageReader.open(target.ram)],
    disk: [await ImageReader.open(base.disk), await ImageReader.open(target.disk)],
  } as const;
  const ownerAt = async (packed: bigint, content?: Buffer): Promise<MemoryOwner> => {
    const page = Number(packed >> 1n);
    if ((packed & 1n) === 1n) return 'other';
    if (page >= memoryPages) return 'device';
    return ownerOf(content ?? (await readers.ram[1].page(page)));
  };
  return {
    async describe(plan, entry) {
      const known = { zero: 'zero', base: 'moved', twin: 'copy' } as const;
      const name = PAGE_CLASSES[plan.classes[entry] ?? 0];
      if (name !== undefined && name in known) {
        const owner = name === 'zero' ? 'free' : await ownerAt(plan.pages[entry] ?? 0n);
        return { kind: known[name as keyof typeof known], bytes: 0, owner };
      }
      const packed = plan.pages[entry] ?? 0n;
      const space: Space = (packed & 1n) === 0n ? 'ram' : 'disk';
      const [before, after] = await Promise.all(
        readers[space].map((reader) => reader.page(Number(packed >> 1n))),
      );
      if (before === undefined || after === undefined)
        return { kind: 'rewritten', bytes: 0, owner: 'other' };
      const bytes = (await compress(after, { reference: before, level: 3 })).length;
      const isAlike = (plan.hints[entry * 2] ?? NOWHERE) !== NOWHERE;
      return { kind: kindOf(before, after, isAlike), bytes, owner: await ownerAt(packed, after) };
    },
    readDisk: (block) => readers.disk[1].page(block),
    [Symbol.asyncDispose]: async () => {
      await Promise.all([...readers.ram, ...readers.disk].map((reader) => reader.close()));
    },
  };
}

function adviceFor(report: MigrationReport, ram: Shares, owners: Shares<MemoryOwner>): string[] {
  const advice: string[] = [];
  const total = Object.values(ram).reduce((sum, { bytes }) => sum + bytes, 0);
  const share = (kind: ResidueKind) => (total === 0 ? 0 : ram[kind].bytes / total);
  if (ram.zero.pages === 0 && share('fresh') + share('rewritten') > 0.3) {
    advice.push(
      'No page reads as zeros: the guest was not squeezed before it stopped. Give the machine a balloon, and the guest its driver (virtio_balloon).',
    );
  }
  if (report.replay?.divergence !== undefined) {
    advice.push(`${capitalized(describeDivergence(report.replay.divergence))}.`);
  }
  if (report.replay === undefined) {
    advice.push(`Nothing was replayed (${report.reason}).`);
  } else if (report.replay.anchorsMissed > report.replay.anchors / 2) {
    advice.push(
      'Most recorded screens did not come up in the replay, so it went its own way. A virtual clock makes a replay exact where the guest is emulated.',
    );
  }
  if (share('fresh') > 0.5) {
    advice.push(
      'Most of it is memory that was empty before: new programs. What they hold differs between runs; only a virtual clock reproduces it.',
    );
  }
  if (total > 0 && owners.kernel.bytes / total > 0.4) {
    advice.push(
      'Much of it is the kernel’s own memory (caches of inodes, tables of pages, lists): it differs between any two runs; only a virtual clock reproduces it.',
    );
  }
  if (total > 0 && owners.cache.bytes / total > 0.4) {
    advice.push(
      'Much of it is the cache of files whose blocks changed: it travels once, with the disk. Fewer or smaller written files make it smaller.',
    );
  }
  if (report.repairedPages > 0) {
    advice.push('Pages were sent twice after a failed proof. Report that if it happens again.');
  }
  return advice;
}

function capitalized(sentence: string): string {
  return sentence.charAt(0).toUpperCase() + sentence.slice(1);
}
