export { effectsReport, type EffectsReport } from './effects.js';
export {
  explainMigration,
  type Explanation,
  type ExplainOptions,
  type FileShare,
  type ResidueShare,
} from './explain.js';
export {
  memoryOwners,
  residueKinds,
  type MemoryOwner,
  type ResidueKind,
} from './explain/page-kinds.js';
export { describeDivergence } from './divergence.js';
export {
  lastRehearsal,
  rehearsalSchema,
  rehearse,
  type Rehearsal,
  type RehearseOptions,
} from './rehearse.js';
export { migrationHistory } from './history.js';
export { migrate, type MigrateOptions } from './migrate.js';
export type { Plan } from './plan.js';
export { stages, type MigrationProgress, type OnProgress, type Stage } from './progress.js';
export { receive, type ReceiveOptions } from './receive.js';
export { migrationReportSchema, type MigrationReport } from './report.js';
export { seed, type SeedOptions, type SeedProgress, type SeedReport } from './seed-source.js';
export type { SourceOutcome } from './source.js';

// For laboratories that measure the stages one by one.
export { analyse, type Analysis, type AnalysisOptions } from './analysis.js';
export { replaySession, type Replayed, type ReplayTrial } from './replay.js';
export { readSessionInput, type SessionInput } from './session-log.js';
