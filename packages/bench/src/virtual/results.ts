import { appendFile, readFile } from 'node:fs/promises';

import { spreadOf } from '../report/statistics.js';

/** One finished run: a line of the results file. */
export interface VirtualRun {
  readonly name: string;
  readonly run: number;
  /** Under a virtual clock and migrated; or only played, under the host's, for its CPU time. */
  readonly kind: 'virtual' | 'plain';
  readonly loaded: boolean;
  /** CPU seconds of the guest in the session. */
  readonly cpuSeconds: number;
  readonly sessionSeconds: number;
  /** What follows is of a virtual run only: cmp and the report say so. */
  readonly identical?: boolean;
  readonly notes?: readonly string[];
  readonly bytesTotal?: number;
  readonly log?: number;
  readonly device?: number;
  readonly digests?: number;
  readonly control?: number;
  readonly replaySeconds?: number;
  /** What others would have sent: once a session, in its first run. */
  readonly rsyncZ?: number;
  readonly ship?: number;
}

/** A session's runs in one line of the result. */
export interface VirtualSummary {
  readonly name: string;
  readonly runs: number;
  readonly identical: number;
  readonly bytesTotal: number;
  readonly log: number;
  readonly device: number;
  readonly digests: number;
  readonly control: number;
  readonly rsyncZ: number | null;
  readonly ship: number | null;
  readonly replaySeconds: number;
  readonly sessionSeconds: number;
  /** CPU time beside plain emulation's, less one; null where that was not measured. */
  readonly guestSlowdown: number | null;
}

/** The runs that are finished, from a file that may not exist; a torn last line was no finished run. */
export async function readRuns(file: string): Promise<VirtualRun[]> {
  const text = await readFile(file, 'utf8').catch(() => '');
  return text
    .split('\n')
    .slice(0, -1)
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as VirtualRun);
}

export async function appendRun(file: string, run: VirtualRun): Promise<void> {
  await appendFile(file, `${JSON.stringify(run)}\n`);
}

/** Bytes and seconds are medians over the runs. */
export function summarize(name: string, runs: readonly VirtualRun[]): VirtualSummary {
  const own = runs.filter((run) => run.name === name);
  const virtual = own.filter(({ kind }) => kind === 'virtual');
  const plain = own.filter(({ kind }) => kind === 'plain');
  const middle = (of: (run: VirtualRun) => number | undefined) =>
    spreadOf(virtual.map((run) => of(run) ?? 0)).median;
  const quiet = virtual.filter(({ loaded }) => !loaded);
  const cpu = (of: readonly VirtualRun[]) =>
    spreadOf(of.map(({ cpuSeconds }) => cpuSeconds)).median;
  return {
    ...{ name, runs: virtual.length },
    identical: virtual.filter(({ identical }) => identical === true).length,
    bytesTotal: middle((run) => run.bytesTotal),
    log: middle((run) => run.log),
    device: middle((run) => run.device),
    digests: middle((run) => run.digests),
    control: middle((run) => run.control),
    rsyncZ: virtual.find((run) => run.rsyncZ !== undefined)?.rsyncZ ?? null,
    ship: virtual.find((run) => run.ship !== undefined)?.ship ?? null,
    replaySeconds: middle((run) => run.replaySeconds),
    sessionSeconds: middle((run) => run.sessionSeconds),
    guestSlowdown: plain.length === 0 || quiet.length === 0 ? null : cpu(quiet) / cpu(plain) - 1,
  };
}
