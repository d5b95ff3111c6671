import type { ByteTotals, MigrationReport } from '@reprise/core';

import type { Session } from '../session/index.js';

export const methods = [
  'full-copy',
  'rsync',
  'rsync-pages',
  'reprise-ship',
  'reprise-replay',
] as const;
export type Method = (typeof methods)[number];

/** What the guest's time counts: seconds of the host, with an opportunistic replay, or its own instructions. */
export const clocks = ['host', 'virtual'] as const;
export type Clock = (typeof clocks)[number];

/** What is measured on a session. Another clock changes nothing for the copies, which are measured once. */
export const methodsOf: Readonly<Record<Clock, readonly Method[]>> = {
  host: methods,
  virtual: ['rsync', 'reprise-ship', 'reprise-replay'],
};

/** What each method is called in print. */
export const titleOf: Readonly<Record<Method, string>> = {
  'full-copy': 'full copy + zstd',
  rsync: 'rsync -z',
  'rsync-pages': 'rsync -z, RAM by pages',
  'reprise-ship': 'reprise, no replay',
  'reprise-replay': 'reprise, replay',
};

/** What one method put on the link, in bytes; both directions as the source counts them. */
export interface Measurement {
  readonly method: Method;
  readonly bytes: ByteTotals;
  readonly seconds: number;
  /** Of reprise alone: all that it has to say about the migration. */
  readonly report?: MigrationReport;
}

/** One scripted session and what it takes to move the VM afterwards. */
export interface SessionRun {
  readonly session: Session['name'];
  readonly guest: Session['guest'];
  readonly clock: Clock;
  readonly title: string;
  readonly run: number;
  readonly base: string;
  readonly target: string;
  readonly sessionSeconds: number;
  readonly changed: { readonly ramPages: number; readonly diskBlocks: number };
  /** After every reprise migration cmp found RAM, disk and device state the same on both sides. */
  readonly verified: true;
  readonly measurements: readonly Measurement[];
}

export interface MeasureOptions {
  readonly signal?: AbortSignal | undefined;
  /** What is going on, a sentence each. */
  readonly onProgress: (text: string) => void;
}
