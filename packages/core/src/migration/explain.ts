import {
  compress,
  ImageReader,
  PAGE_CLASSES,
  PAGE_SIZE,
  type PlanArrays,
  type Space,
  type State,
} from '@reprise/differ';

import { RepriseError } from '../errors.js';
import type { SnapshotStore } from '../snapshot/index.js';

import { contentIndexOf } from './content-index.js';
import { differFor } from './differ-for.js';
import { describeDivergence } from './divergence.js';
import { migrationHistory } from './history.js';
import type { MigrationReport } from './report.js';
import { changeBetween, lineOf } from './target.js';

/** What became of a changed page, or what kind of content it had to carry. */
export const residueKinds = {
  zero: 'free or cleared: reads as zeros',
  moved: 'stood elsewhere in the base',
  copy: 'equal to another changed page (page cache and its file, shared memory)',
  counters: 'the base’s page with a few words changed (counters, lists, timestamps)',
  edited: 'the base’s page, changed in part',
  alike: 'resembles another page of the base (moved and changed)',
  fresh: 'memory or blocks that were empty before',
  rewritten: 'new content over old',
} as const;
export type ResidueKind = keyof typeof residueKinds;

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
  /** What would have made it smaller, a sentence each. */
  readonly advice: readonly string[];
}

export interface ExplainOptions {
  readonly store: SnapshotStore;
  readonly name: string;
  /** The beginning of a migration's id; default: the newest. */
  readonly migration?: string;
  readonly signal?: AbortSignal;
}

/** Words of 8 B: a page with at most so many changed is counters and links. */
const FEW_WORDS = 32;
const HALF = PAGE_SIZE / 16;
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
  const [ram, disk] = [emptyShares(), emptyShares()];
  await using pages = await openPages(change.base, change.target);
  for (const [entry, packed] of plan.entries.pages.entries()) {
    signal?.throwIfAborted();
    const { kind, bytes } = await pages.describe(plan.entries, entry);
    const share = ((packed & 1n) === 0n ? ram : disk)[kind];
    share.pages++;
    share.bytes += bytes;
  }
  return {
    ...{ migration: report.migration, base: base.root, target: target.root, report, ram, disk },
    advice: adviceFor(report, ram),
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

type Shares = Record<ResidueKind, { pages: number; bytes: number }>;

function emptyShares(): Shares {
  const kinds = Object.keys(residueKinds) as ResidueKind[];
  return Object.fromEntries(kinds.map((kind) => [kind, { pages: 0, bytes: 0 }])) as Shares;
}

interface Pages extends AsyncDisposable {
  describe(plan: PlanArrays, entry: number): Promise<{ kind: ResidueKind; bytes: number }>;
}

async function openPages(base: State, target: State): Promise<Pages> {
  const readers = {
    ram: [await ImageReader.open(base.ram), await ImageReader.open(target.ram)],
    disk: [await ImageReader.open(base.disk), await ImageReader.open(target.disk)],
  } as const;
  return {
    async describe(plan, entry) {
      const known = { zero: 'zero', base: 'moved', twin: 'copy' } as const;
      const name = PAGE_CLASSES[plan.classes[entry] ?? 0];
      if (name !== undefined && name in known) {
        return { kind: known[name as keyof typeof known], bytes: 0 };
      }
      const packed = plan.pages[entry] ?? 0n;
      const space: Space = (packed & 1n) === 0n ? 'ram' : 'disk';
      const [before, after] = await Promise.all(
        readers[space].map((reader) => reader.page(Number(packed >> 1n))),
      );
      if (before === undefined || after === undefined) return { kind: 'rewritten', bytes: 0 };
      const bytes = (await compress(after, { reference: before, level: 3 })).length;
      const isAlike = (plan.hints[entry * 2] ?? NOWHERE) !== NOWHERE;
      return { kind: kindOf(before, after, isAlike), bytes };
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.all([...readers.ram, ...readers.disk].map((reader) => reader.close()));
    },
  };
}

function kindOf(before: Buffer, after: Buffer, isAlike: boolean): ResidueKind {
  let changed = 0;
  let used = 0;
  for (let at = 0; at < PAGE_SIZE; at += 8) {
    if (before.readBigUInt64LE(at) !== after.readBigUInt64LE(at)) changed++;
    if (before.readBigUInt64LE(at) !== 0n) used++;
  }
  if (used === 0) return isAlike ? 'alike' : 'fresh';
  if (changed <= FEW_WORDS) return 'counters';
  if (changed <= HALF) return 'edited';
  return isAlike ? 'alike' : 'rewritten';
}

function adviceFor(report: MigrationReport, ram: Shares): string[] {
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
  if (report.repairedPages > 0) {
    advice.push('Pages were sent twice after a failed proof. Report that if it happens again.');
  }
  return advice;
}

function capitalized(sentence: string): string {
  return sentence.charAt(0).toUpperCase() + sentence.slice(1);
}
