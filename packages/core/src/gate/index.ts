/** Side effects: what may leave a guest, what did, and what tried to. */
export { attempts, summarizeAttempts, type Attempt, type Attempts } from './attempts.js';
export { type EffectRule, type Verdict } from './effect-rules.js';
export { type FlowLedger, type FlowRecord } from './flow-record.js';
export { FlowTable } from './flow-table.js';
export { openGuestNetwork, type GuestNetworkOptions } from './guest-network.js';
export { ledgerPath, writeLedger } from './ledger-file.js';
export { CAUSALITY_MS, markedEvents, type Effect } from './marks.js';
export type { NetworkFault } from './network-process.js';
export type { Direction } from './network-service.js';
export { effectRulesPath, effectsOf, rulesOf, type SessionEffects } from './session-effects.js';
export { effectPolicies, withhold, type EffectPolicy } from './withhold.js';
