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
export {
  step,
  type HandoffEffect,
  type HandoffInput,
  type HandoffNotice,
  type Step,
} from './handoff-table.js';
export * from './journal.js';
export * from './lease.js';
export * from './process-identity.js';
