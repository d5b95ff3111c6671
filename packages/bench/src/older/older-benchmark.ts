import { join } from 'node:path';

import { changeBetween, openStore, suspendVm, wholeStateOf } from '@reprise/core';
import { countPages, Differ, type ChangedPages, type ResiduePlan } from '@reprise/differ';

import { headOf, recordingOf, UNKNOWN } from '../bytes/index.js';
import {
  copyDirectory,
  createRunDirectory,
  createScratchDirectory,
  RunningGuest,
} from '../fixture/index.js';
import { hostFacts, type HostFacts } from '../measure/host-facts.js';
import { playSession, type Session } from '../session/index.js';

export interface OlderOptions {
  /** Pairs of sessions, one after the other on the same VM. */
  readonly pairs: readonly (readonly [Session, Session])[];
  readonly signal: AbortSignal;
  readonly onProgress: (text: string) => void;
}

export interface OlderBenchmark {
  readonly version: 1;
  readonly host: HostFacts;
  readonly pairs: readonly OlderPair[];
}

/** What the snapshot before the base would explain of what a second session left, beyond what the base explains. */
export interface OlderPair {
  readonly first: string;
  readonly second: string;
  readonly changedPages: number;
  /** That the base does not explain. */
  readonly unexplainedPages: number;
  /** Of those, with the very content of some page of the snapshot before the base. */
  readonly inOlder: number;
  /** The residue without a replay, and without those pages: what they could save at most. */
  readonly bytes: number;
  readonly bytesWithout: number;
}

/**
 * Plays two sessions after each other, and asks whether a destination that still holds the snapshot from before both of
 * them would need less than one that holds the one between them alone.
 */
export async function runOlderBenchmark(options: OlderOptions): Promise<OlderBenchmark> {
  const { pairs, signal, onProgress } = options;
  const host = await hostFacts();
  await using directory = await createRunDirectory();
  const measured: OlderPair[] = [];
  for (const [first, second] of pairs) {
    await using scratch = await createScratchDirectory(directory.path, 'older');
    const label = `${first.name}, then ${second.name}`;
    measured.push(
      await measurePair(first, second, scratch.path, {
        signal,
        onProgress: (text) => {
          onProgress(`${label}: ${text}`);
        },
      }),
    );
  }
  return { version: 1, host, pairs: measured };
}

async function measurePair(
  first: Session,
  second: Session,
  directory: string,
  o: Pick<OlderOptions, 'signal' | 'onProgress'>,
): Promise<OlderPair> {
  const recording = await recordingOf(first, { ...o, replay: false });
  const home = join(directory, 'store');
  await copyDirectory(recording.a, home, o.signal);
  {
    await using guest = await RunningGuest.start(home, recording.vm, o);
    await using viewer = await guest.openViewer(o.signal);
    o.onProgress(`playing ${second.title}`);
    await playSession(viewer, second, { signal: o.signal, guestCpuMs: () => guest.cpuMs() });
    await viewer.close();
    await suspendVm(home, recording.vm);
  }
  o.onProgress('finding what each snapshot explains');
  await using before = await openStore({ home: recording.b });
  await using between = await openStore({ home: recording.a });
  await using store = await openStore({ home });
  const { root: olderRoot } = await headOf(before, recording.vm);
  const { root: baseRoot } = await headOf(between, recording.vm);
  const base = await store.snapshot(recording.vm, baseRoot);
  const { state: older } = await wholeStateOf(await store.snapshot(recording.vm, olderRoot));
  const target = await headOf(store, recording.vm);
  await using differ = new Differ({
    fingerprint: { algorithm: 'xxh3', key: new Uint8Array(32).fill(1) },
  });
  const change = await changeBetween(differ, base, target, o.signal);
  const [index, olderIndex] = [join(directory, 'index'), join(directory, 'older-index')];
  await differ.buildIndex(change.base, index);
  await differ.buildIndex(older, olderIndex);
  await using plan = await differ.planResidue({ ...change, indexPath: index });
  const unexplained = pagesOf(plan, (kind) => kind === UNKNOWN);
  await using byOlder = await differ.planResidue({
    ...{ base: older, target: change.target, indexPath: olderIndex },
    changed: unexplained,
  });
  // Equal at their place, which a plan leaves out, or equal to some other page.
  const left = pagesOf(byOlder, (kind) => kind === UNKNOWN);
  const still = await differ.planResidue({
    ...{ ...change, indexPath: index },
    changed: joined(
      pagesOf(plan, (kind) => kind !== UNKNOWN),
      left,
    ),
  });
  await using _closed = still;
  const count = (pages: ChangedPages): number => countPages(pages.ram) + countPages(pages.disk);
  return {
    ...{ first: first.name, second: second.name },
    changedPages: count(change.changed),
    unexplainedPages: count(unexplained),
    inOlder: count(unexplained) - count(left),
    bytes: await bytesOf(plan),
    bytesWithout: await bytesOf(still),
  };
}

/** The entries of a plan of some classes, a run each. */
function pagesOf(plan: ResiduePlan, wanted: (kind: number) => boolean): ChangedPages {
  const runs = { ram: [] as bigint[], disk: [] as bigint[] };
  const { pages, classes } = plan.entries;
  for (const [i, packed] of pages.entries()) {
    if (!wanted(classes[i] ?? 0)) continue;
    runs[(packed & 1n) === 0n ? 'ram' : 'disk'].push(packed >> 1n, 1n);
  }
  return { ram: BigUint64Array.from(runs.ram), disk: BigUint64Array.from(runs.disk) };
}

/** Both, in order. */
function joined(a: ChangedPages, b: ChangedPages): ChangedPages {
  const inOrder = (one: BigUint64Array, other: BigUint64Array): BigUint64Array => {
    const starts = [...one, ...other]
      .filter((_, i) => i % 2 === 0)
      .sort((x, y) => (x < y ? -1 : 1));
    return BigUint64Array.from(starts.flatMap((start) => [start, 1n]));
  };
  return { ram: inOrder(a.ram, b.ram), disk: inOrder(a.disk, b.disk) };
}

async function bytesOf(plan: ResiduePlan): Promise<number> {
  let bytes = 0;
  for await (const frame of plan.encode()) bytes += frame.bytes.length;
  return bytes;
}
