import type { ByteTotals } from '../protocol/index.js';

/** The stages of a migration, in their order. */
export const stages = [
  'suspend',
  'meet',
  'plan',
  'replay',
  'residue',
  'prove',
  'handoff',
  'resume',
] as const;
export type Stage = (typeof stages)[number];

/** What a caller can show while it waits. */
export interface MigrationProgress {
  readonly stage: Stage;
  /** What is being done, for a person. */
  readonly text: string;
  /** Units of the stage, where they are known. */
  readonly done?: number;
  readonly total?: number;
  /** What has crossed the link so far. */
  readonly bytes?: ByteTotals;
}

export type OnProgress = (progress: MigrationProgress) => void;

/** Says what is being done now; `done` and `total` are units of the stage. */
export type Tell = (stage: Stage, text: string, done?: number, total?: number) => void;
