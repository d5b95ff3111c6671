import { join } from 'node:path';

import { openStore } from '@reprise/core';

import {
  createScratchDirectory,
  RunningGuest,
  seededPair,
  snapshotFiles,
  type SeededPair,
} from '../fixture/index.js';
import { playSession, type Session } from '../session/index.js';

import { measureBaselines } from './baselines.js';
import { methodsOf, type Clock, type MeasureOptions, type SessionRun } from './measurement.js';
import { measureReprise } from './reprise.js';

export interface SessionRunOptions extends MeasureOptions {
  readonly run: number;
  readonly clock: Clock;
  /** Of the link, in bytes a second each way. */
  readonly bytesPerSecond: number;
  /** Where stores stand meanwhile. */
  readonly directory: string;
}

/** Plays a session on a guest that two stores share a base of, then measures every way to move what it left. */
export async function runSession(
  session: Session,
  options: SessionRunOptions,
): Promise<SessionRun> {
  const { clock, signal, onProgress } = options;
  await using directory = await createScratchDirectory(options.directory, session.name);
  const pair = await seededPair(session.guest, join(directory.path, 'pair'), options);
  const startedMs = performance.now();
  await playOn(pair, session, options);
  const sessionSeconds = (performance.now() - startedMs) / 1000;
  onProgress('flattening disks');
  const files = join(directory.path, 'files');
  const base = await snapshotFiles(pair.b, pair.name, join(files, 'base'), { signal });
  const target = await snapshotFiles(pair.a, pair.name, join(files, 'target'), { signal });
  const measurements = [
    ...(await measureBaselines(base, target, files, { ...options, methods: methodsOf[clock] })),
  ];
  for (const strategy of ['ship', 'replay'] as const) {
    measurements.push(
      await measureReprise(pair, { ...options, strategy, directory: directory.path }),
    );
  }
  return {
    ...{ session: session.name, guest: session.guest, clock, title: session.title },
    run: options.run,
    ...{ base: base.root, target: target.root, sessionSeconds },
    changed: await changedBy(pair),
    verified: true,
    measurements,
  };
}

async function playOn(
  pair: SeededPair,
  session: Session,
  { signal, onProgress }: MeasureOptions,
): Promise<void> {
  await using guest = await RunningGuest.start(pair.a, pair.name, { signal });
  await using viewer = await guest.openViewer(signal);
  onProgress(`playing ${session.title}`);
  await playSession(viewer, session, {
    signal,
    guestCpuMs: () => guest.cpuMs(),
    onStep: everyQuarter((share) => {
      onProgress(`played ${String(share)} %`);
    }),
  });
  await viewer.close();
  onProgress('suspending');
  await guest.suspend();
}

function everyQuarter(tell: (percent: number) => void): (done: number, total: number) => void {
  let told = 0;
  return (done, total) => {
    const quarter = Math.floor((4 * done) / total);
    if (quarter > told) tell(quarter * 25);
    told = quarter;
  };
}

async function changedBy(pair: SeededPair): Promise<SessionRun['changed']> {
  await using store = await openStore({ home: pair.a });
  const head = await store.head(pair.name);
  return {
    ramPages: head?.manifest.changed?.ramPages ?? 0,
    diskBlocks: head?.manifest.changed?.diskBlocks ?? 0,
  };
}
