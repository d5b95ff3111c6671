import { effectsOf, rulesOf, type Attempts, type SessionEffects } from '../gate/index.js';
import { readInputLog } from '../input/index.js';
import type { SnapshotStore } from '../snapshot/index.js';
import { lineOf } from '../state/index.js';

import { migrationHistory } from './history.js';

/** What a VM did in the world, and what its replays tried to do again. */
export interface EffectsReport {
  /** Sessions of this host that had a network, the newest first. */
  readonly sessions: readonly ({
    readonly root: string;
    readonly startedAt: string;
  } & SessionEffects)[];
  /** Replays of the migrations from here, the newest first. */
  readonly replays: readonly {
    readonly migration: string;
    readonly startedAt: string;
    readonly policy: string;
    readonly withheld: number;
    readonly attempts: Attempts;
  }[];
}

/** Throws VM_UNKNOWN, EFFECT_RULES_INVALID, INPUT_LOG_TAMPERED. */
export async function effectsReport(store: SnapshotStore, name: string): Promise<EffectsReport> {
  const rules = await rulesOf(store);
  const head = await store.head(name);
  const sessions: EffectsReport['sessions'][number][] = [];
  for (const snapshot of head === undefined ? [] : await lineOf(store, name, head)) {
    const { session } = snapshot.manifest;
    if (session === null) continue;
    const secret = await store.deriveKey(name, 'input-log');
    // Without its log a session still tells what was sent, only not by which input.
    const log = await readInputLog(snapshot.paths.inputLog, secret).catch(() => undefined);
    const found = await effectsOf(store, name, snapshot, log ?? NO_INPUT, rules);
    if (found === undefined) continue;
    sessions.push({ root: snapshot.root, startedAt: session.startedAt, ...found });
  }
  const replays = (await migrationHistory(store, name)).flatMap((report) =>
    report.effects === undefined
      ? []
      : [{ migration: report.migration, startedAt: report.startedAt, ...report.effects }],
  );
  return { sessions, replays };
}

const NO_INPUT = { header: { width: 0, height: 0, held: [], buttons: 0 }, events: [] };
