export * from './exclusive-lock.js';
export * from './file-lease.js';
export {
  ancestorSchema,
  handoffMessageSchema,
  handoffStateSchema,
  type Ancestor,
  type HandoffKind,
  type HandoffMessage,
  type HandoffState,
  type LeaseRecord,
  type Offer,
  type RecordType,
} from './handoff-state.js';
export type { HandoffEffect, HandoffInput, HandoffNotice, Step } from './handoff-step.js';
export { step } from './handoff-table.js';
export * from './journal.js';
export * from './lease.js';
export * from './process-identity.js';
