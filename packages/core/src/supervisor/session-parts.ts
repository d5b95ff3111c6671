import { join } from 'node:path';

import { openConsoleProxy, RfbClient, type ConsoleProxy } from '../console/index.js';
import { describeError } from '../errors.js';
import type { FlowTable } from '../gate/index.js';
import {
  InputLogWriter,
  type InputSink,
  type SessionClock,
  type TimedInput,
} from '../input/index.js';
import type { RunGrant } from '../lease/index.js';
import type { Machine } from '../machine/index.js';
import type { SnapshotStore, WorkingCopy } from '../snapshot/index.js';

import { bootFilesOf } from './boot-files.js';
import { FRAME_BUDGET_BYTES } from './frame-inlet.js';
import type { SessionRequest } from './messages.js';
import { PoweredVm } from './powered-vm.js';
import { runtimeDirectory } from './runtime-directory.js';
import type { VirtualSession } from './virtual-session.js';

const MAX_WARNINGS = 32;

export interface SessionEvents {
  readonly onProgress?: (text: string) => void;
  /** Told of each input that was recorded: where time is virtual, when the guest has it. */
  readonly onInput?: ((input: TimedInput) => void) | undefined;
  readonly signal?: AbortSignal;
}

/** What happened in the session, for `status` and the snapshot's manifest. */
export interface Tally {
  events: number;
  anchors: number;
  diskRestarts: number;
  readonly warnings: string[];
}

export interface SessionParts {
  readonly store: SnapshotStore;
  readonly name: string;
  readonly grant: RunGrant;
  readonly working: WorkingCopy;
  readonly resumes: boolean;
  readonly powered: PoweredVm;
  readonly recorder: InputLogWriter;
  readonly clock: SessionClock;
  readonly console: ConsoleProxy;
  readonly tally: Tally;
  /** What the guest sends; empty where the machine has no network. */
  readonly flows: FlowTable;
  /** Where the machine's clock is virtual. */
  readonly virtual: VirtualSession | undefined;
}

export async function powerOn(
  store: SnapshotStore,
  working: WorkingCopy,
  resumes: boolean,
  {
    tally,
    flows,
    deliver,
  }: Pick<SessionParts, 'tally' | 'flows'> & {
    readonly deliver: (frame: Uint8Array) => void;
  },
  signal: AbortSignal | undefined,
): Promise<PoweredVm> {
  const machine = await store.machine(working.vm);
  const { resumeFrom, ram } = working.paths;
  return await PoweredVm.start({
    machine,
    boot: await bootFilesOf(store, machine),
    ramFile: ram,
    chain: working.disk,
    ...(resumes && resumeFrom !== undefined ? { deviceState: resumeFrom } : {}),
    runDirectory: runtimeDirectory(store.home, working.vm),
    gate: 'open',
    network: {
      onFrame: (frame, direction) => {
        flows.observe(frame, direction);
      },
      deliver,
      onFault: ({ reason, restarted }) => {
        flows.gap(reason);
        warn(
          tally,
          restarted
            ? 'The process that is the network ended and was started again: connections of the guest were cut, and the list of what it sent has a gap.'
            : `The guest has no network any more: ${reason}. Suspend the VM and start it again.`,
        );
      },
    },
    ...(signal === undefined ? {} : { signal }),
    onDiskFault: ({ restarted }) => {
      tally.diskRestarts++;
      warn(
        tally,
        restarted
          ? 'The disk process ended and was started again; nothing is lost.'
          : 'The disk process ended and could not be started again: the guest waits for it. Discard the session, or end the supervisor and boot cold.',
      );
    },
  });
}

export async function openRecorder(
  store: SnapshotStore,
  working: WorkingCopy,
  powered: PoweredVm,
  virtual: VirtualSession | undefined,
): Promise<InputLogWriter> {
  await using display = await RfbClient.connect(powered.vm.display);
  const { width, height } = display;
  const secret = await store.deriveKey(working.vm, 'input-log');
  return await InputLogWriter.create(working.paths.inputLog, secret, {
    ...{ width, height, held: [], buttons: 0 },
    ...(virtual === undefined ? {} : { virtual: virtual.header }),
  });
}

/** How many bytes of the network's frames the log takes. */
export function frameLog({ inboundFrames }: Machine, tally: Tally) {
  if (inboundFrames === 'drop') return { budgetBytes: 0 };
  return {
    budgetBytes: FRAME_BUDGET_BYTES,
    onSpent: () => {
      warn(
        tally,
        'The input log holds all the network frames that it may: what later ones change in the guest will be shipped.',
      );
    },
  };
}

export async function openConsole(
  request: SessionRequest,
  parts: Pick<SessionParts, 'powered' | 'recorder' | 'clock' | 'tally' | 'virtual'> &
    Pick<SessionEvents, 'onInput'>,
): Promise<ConsoleProxy> {
  const { powered, recorder, clock, tally, virtual, onInput } = parts;
  const sink: InputSink = {
    record(input) {
      tally.events++;
      if (input.anchor !== undefined) tally.anchors++;
      // In virtual time the log has it already, in the order in which the guest got it.
      if (virtual === undefined) recorder.record(input);
      else virtual.assertRecorded();
      onInput?.(input);
    },
    finish: async (end) => {
      try {
        virtual?.assertRecorded();
        await recorder.finish(end);
      } catch (cause) {
        // The session is not lost for its log: without an end that reads as not complete, and nobody replays it.
        await recorder.close();
        warn(
          tally,
          `The input log of this session is not complete, so its migration ships instead of replaying: ${describeError(cause)}`,
        );
      }
    },
  };
  const path = join(runtimeDirectory(request.home, request.name), 'console');
  return await openConsoleProxy({
    display: powered.vm.display,
    listen: request.port === undefined ? { path } : { host: '127.0.0.1', ...request.port },
    recorder: sink,
    clock,
    ...(virtual === undefined
      ? {
          guestProgress: () => powered.vm.progress(),
          inputBacklog: async () => await powered.vm.inputBacklog?.(),
        }
      : { injector: virtual }),
    onWarning: (warning) => {
      warn(tally, describeError(warning));
    },
  });
}

export function warn(tally: Tally, text: string): void {
  if (tally.warnings.length < MAX_WARNINGS) tally.warnings.push(text);
}
