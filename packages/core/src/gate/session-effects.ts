import { join } from 'node:path';

import type { InputLog } from '../input/index.js';
import type { Snapshot, SnapshotStore } from '../snapshot/index.js';

import { readEffectRules, type EffectRule } from './effect-rules.js';
import type { FlowLedger } from './flow-record.js';
import { ledgerPath, readLedger } from './ledger-file.js';
import { findEffects, type Effect } from './marks.js';

/** What one session sent. */
export interface SessionEffects {
  readonly ledger: FlowLedger;
  readonly effects: readonly Effect[];
  /** Whether all that was sent is in the ledger, one by one. */
  readonly complete: boolean;
}

/** Where the user's rules stand. One file a store, for all its VMs. */
export function effectRulesPath(home: string): string {
  return join(home, 'effects.json');
}

export async function rulesOf(store: SnapshotStore): Promise<readonly EffectRule[]> {
  return await readEffectRules(effectRulesPath(store.home));
}

/** Undefined for a session of a VM without a network. */
export async function effectsOf(
  store: SnapshotStore,
  vm: string,
  snapshot: Snapshot,
  log: InputLog,
  rules: readonly EffectRule[],
): Promise<SessionEffects | undefined> {
  const ledger = await readLedger(ledgerPath(snapshot.paths.inputLog), await store.secret(vm));
  if (ledger === undefined) return undefined;
  return {
    ledger,
    effects: findEffects(ledger, log, rules),
    complete: ledger.unlisted.flows === 0 && ledger.gaps.length === 0,
  };
}
