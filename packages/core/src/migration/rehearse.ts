import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { z } from 'zod';

import { RepriseError, throwIfCancelled } from '../errors.js';
import { readInputLog, type InputLog } from '../input/index.js';
import { divergence, type Content } from '../protocol/index.js';
import { ExclusiveLock } from '../lease/index.js';
import type { Snapshot, SnapshotStore } from '../snapshot/index.js';
import { vmStatus } from '../supervisor/index.js';
import { requireVirtualTime } from '../virtual-time/index.js';
import { differFor } from '../state/index.js';

import { comparableMarks, differingEnds } from './divergence.js';
import { replayVirtually } from './virtual-replay.js';

/** Whether a session, as far as it has come, replays exactly on the host that recorded it. */
export const rehearsalSchema = z.strictObject({
  version: z.literal(1),
  at: z.iso.datetime(),
  /** What the session began with, and when. */
  base: z.string(),
  sessionStartedAt: z.string(),
  /** `running`: up to the last mark. `suspended`: whole, to the snapshot itself. */
  of: z.enum(['running', 'suspended']),
  /** How much of the session was replayed. */
  sessionSeconds: z.number(),
  seconds: z.number(),
  exact: z.boolean(),
  /** Marks that were equal, of those that there were. */
  marks: z.int(),
  marksTotal: z.int(),
  /** Why it is not exact, for a person. */
  reason: z.string().optional(),
  divergence: divergence.optional(),
});
export type Rehearsal = z.infer<typeof rehearsalSchema>;

/** Names its scratch copy and its directory: what a killed one left is replaced by the next. */
const REHEARSAL = 'rehearsal';
const RESULT = 'rehearsal.json';
const LOCK_TIMEOUT_MS = 1_000;

export interface RehearseOptions {
  readonly store: SnapshotStore;
  readonly name: string;
  readonly signal?: AbortSignal;
  readonly onProgress?: (sessionMs: number, sessionMsTotal: number) => void;
}

interface Recorded {
  readonly of: Rehearsal['of'];
  readonly base: string;
  readonly startedAt: string;
  readonly log: InputLog;
  /** Whose roots the replay has to come to. */
  readonly target?: Snapshot;
}

/**
 * Replays the VM's session so far on a copy of its base, and keeps what came of it for `vm show`. A VM that runs goes on
 * undisturbed but for the CPU time; who wants to be polite lowers the priority of the process first.
 *
 * @throws RepriseError NOTHING_TO_REHEARSE, REHEARSAL_FAILED, VIRTUAL_TIME_UNAVAILABLE, CANCELLED, …
 */
export async function rehearse(options: RehearseOptions): Promise<Rehearsal> {
  const { store, name, signal = new AbortController().signal } = options;
  if ((await store.machine(name)).clock !== 'virtual') {
    throw nothing(
      `'${name}' runs under its host's clock, so no replay of it is exact. Import a VM with --clock virtual for that.`,
    );
  }
  await requireVirtualTime({ signal });
  const recorded = await recordedSession(store, name);
  const directory = await directoryOf(store, name);
  return await ExclusiveLock.during(directory, 'lock', { timeoutMs: LOCK_TIMEOUT_MS, signal }, () =>
    replayAndKeep(options, recorded, signal),
  );
}

async function replayAndKeep(
  { store, name, onProgress }: RehearseOptions,
  recorded: Recorded,
  signal: AbortSignal,
): Promise<Rehearsal> {
  const { log } = recorded;
  const base = await store.snapshot(name, recorded.base);
  await using differ = await differFor(store, name);
  const startedMs = performance.now();
  await using replayed = await replayVirtually({
    ...{ store, differ, base, logs: [log], migration: REHEARSAL, signal },
    onProgress: (_done, _total, sessionMs) => {
      onProgress?.(sessionMs, log.end?.atMs ?? 0);
    },
  });
  throwIfCancelled(signal);
  const { report } = replayed;
  if (report.outcome === 'failed' || report.outcome === 'aborted') {
    throw new RepriseError(
      'REHEARSAL_FAILED',
      `The session could not be replayed: ${report.reason ?? report.outcome}. Run reprise doctor, then try again.`,
    );
  }
  const marksTotal = comparableMarks(log).length;
  const reason = report.reason ?? differenceOfEnds(recorded.target, report.state);
  const rehearsal: Rehearsal = {
    ...{ version: 1, at: new Date().toISOString(), base: base.root, of: recorded.of },
    sessionStartedAt: recorded.startedAt,
    sessionSeconds: (log.end?.atMs ?? 0) / 1000,
    seconds: (performance.now() - startedMs) / 1000,
    exact: reason === undefined && report.marks === marksTotal,
    ...{ marks: report.marks ?? 0, marksTotal },
    ...(reason === undefined ? {} : { reason }),
    ...(report.divergence === undefined ? {} : { divergence: report.divergence }),
  };
  const path = join(await directoryOf(store, name), RESULT);
  await writeFile(path, `${JSON.stringify(rehearsal, undefined, 2)}\n`);
  return rehearsal;
}

/** The newest result; undefined where there is none. */
export async function lastRehearsal(
  store: SnapshotStore,
  name: string,
): Promise<Rehearsal | undefined> {
  const path = join(await directoryOf(store, name), RESULT);
  const text = await readFile(path, 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  return rehearsalSchema.safeParse(JSON.parse(text)).data;
}

/** Beside the reports of migrations. */
async function directoryOf(store: SnapshotStore, name: string): Promise<string> {
  return await store.migrationDirectory(name, REHEARSAL);
}

async function recordedSession(store: SnapshotStore, name: string): Promise<Recorded> {
  const status = await vmStatus(store.home, name);
  return status === undefined
    ? await suspendedSession(store, name)
    : await runningSession(store, name, status.startedAt);
}

async function suspendedSession(store: SnapshotStore, name: string): Promise<Recorded> {
  const head = await store.head(name);
  const session = head?.manifest.session ?? undefined;
  if (head === undefined || session === undefined) {
    throw nothing(`'${name}' has no session yet. Start it, and work in it.`);
  }
  if (session.base === null) throw poweredOn(name);
  const log = await readInputLog(head.paths.inputLog, await store.deriveKey(name, 'input-log'));
  if (!log.complete) {
    throw nothing(`The recording of the last session of '${name}' broke off. Begin another one.`);
  }
  return {
    ...{ of: 'suspended', base: session.base, startedAt: session.startedAt, log },
    ...(log.framesMissingFromMs === undefined ? { target: head } : {}),
  };
}

/** What the log has up to its last mark: it is on disk, but for the last second. */
async function runningSession(
  store: SnapshotStore,
  name: string,
  startedAt: string,
): Promise<Recorded> {
  const working = await store.workingCopy(name);
  if (working === undefined) throw nothing(`'${name}' is just being suspended. Try again then.`);
  if (working.base === null || working.paths.resumeFrom === undefined) throw poweredOn(name);
  const secret = await store.deriveKey(name, 'input-log');
  const log = await readInputLog(working.paths.inputLog, secret);
  const end = comparableMarks(log).at(-1);
  if (end === undefined) {
    throw nothing(
      `The session of '${name}' is too young: every ${String((log.header.virtual?.markEveryMs ?? 0) / 1000)} s of its time it comes to a mark. Try again then.`,
    );
  }
  return { of: 'running', base: working.base, startedAt, log: until(log, end.atMs) };
}

/** The session as if it had been stopped at a mark, which is before any input of that instant. */
export function until(log: InputLog, atMs: number): InputLog {
  const before = <T extends { readonly atMs: number }>(all: readonly T[]) =>
    all.filter((one) => one.atMs < atMs);
  return {
    header: log.header,
    events: before(log.events),
    ...(log.frames === undefined ? {} : { frames: before(log.frames) }),
    marks: (log.marks ?? []).filter((mark) => mark.atMs <= atMs),
    end: { atMs },
  };
}

function differenceOfEnds(
  target: Snapshot | undefined,
  state: Content<'replayReport'>['state'],
): string | undefined {
  if (target === undefined || state === undefined) return undefined;
  const parts = differingEnds(state, target);
  if (parts.length === 0) return undefined;
  return `at the end ${parts.join(', ')} differ`;
}

function poweredOn(name: string): RepriseError {
  return nothing(
    `The session of '${name}' began with a power-on, which cannot be replayed. Suspend it, and start it again.`,
  );
}

function nothing(message: string): RepriseError {
  return new RepriseError('NOTHING_TO_REHEARSE', message);
}
