import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { migrate, type MigrationReport } from '@reprise/core';

import type { Recording } from '../bytes/recording.js';
import { copyDirectory, createScratchDirectory } from '../fixture/index.js';
import { createSocketDirectory } from '../fixture/directories.js';

import type { Behaviour } from './behaviour.js';

const RECEIVER = fileURLToPath(new URL('./race-receiver.js', import.meta.url));

export interface TrialOptions {
  readonly recording: Recording;
  /** Where the copies of the stores stand meanwhile. */
  readonly directory: string;
  readonly behaviour: Behaviour;
  readonly bytesPerSecond: number;
  readonly strategy: 'auto' | 'ship' | 'replay';
  readonly optimize: 'bytes' | 'time';
  readonly signal: AbortSignal;
}

export interface Trial {
  /** Of the whole migration, from the meeting to the handoff. */
  readonly seconds: number;
  readonly report: MigrationReport;
}

/** One migration of a recorded session, on copies of both stores: a handoff uses a pair up. */
export async function runTrial(options: TrialOptions): Promise<Trial> {
  const { recording, behaviour, bytesPerSecond, strategy, optimize, signal } = options;
  await using copies = await createScratchDirectory(options.directory, 'race');
  const [here, there] = [join(copies.path, 'a'), join(copies.path, 'b')];
  await copyDirectory(recording.a, here, signal);
  await copyDirectory(recording.b, there, signal);
  await using receiver = await startReceiver(there, behaviour);
  const startedMs = performance.now();
  const outcome = await migrate({
    ...{ home: here, name: recording.vm, destination: receiver.destination, bytesPerSecond },
    ...{ strategy, optimize, resume: false, signal },
  });
  const seconds = (performance.now() - startedMs) / 1000;
  if (outcome.kind === 'migrated') return { seconds, report: outcome.report };
  throw new Error(
    `The migration ended as '${outcome.kind}'. Remove the recording, then try again.`,
  );
}

async function startReceiver(home: string, behaviour: Behaviour) {
  const directory = await createSocketDirectory();
  const socket = join(directory.path, 'receive');
  const child = fork(RECEIVER, [home, socket, behaviour], { detached: true });
  const ended = once(child, 'exit');
  await Promise.race([
    once(child, 'message'),
    ended.then(() => {
      throw new Error('The receiver ended at once. Build the workspace first: pnpm run build.');
    }),
  ]);
  return {
    destination: `unix:${socket}`,
    [Symbol.asyncDispose]: async () => {
      if (child.connected) child.disconnect();
      await ended;
      await directory[Symbol.asyncDispose]();
    },
  };
}
