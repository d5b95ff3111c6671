import { join } from 'node:path';

import type { InputLog } from '../input/index.js';
import type { Snapshot, SnapshotStore } from '../snapshot/index.js';

import { readEffectRules, type EffectRule } from './effect-rules.js';
import { emptyLedger, type FlowLedger } from './flow-record.js';
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

/** Of a VM with a network: anything may have been sent. */
const lostLedger: FlowLedger = {
  ...emptyLedger,
  gaps: ['the list of what the session sent is not there any more'],
};

/** Undefined for a session of a VM without a network. */
export async function effectsOf(
  store: Pick<SnapshotStore, 'machine' | 'secret'>,
  vm: string,
  { paths }: { readonly paths: Pick<Snapshot['paths'], 'inputLog'> },
  log: InputLog,
  rules: readonly EffectRule[],
): Promise<SessionEffects | undefined> {
  const kept = await readLedger(ledgerPath(paths.inputLog), await store.secret(vm));
  if (kept === undefined && (await store.machine(vm)).network === 'none') return undefined;
  const ledger = kept ?? lostLedger;
  return {
    ledger,
    effects: findEffects(ledger, log, rules),
    complete: ledger.unlisted.flows === 0 && ledger.gaps.length === 0,
  };
}
