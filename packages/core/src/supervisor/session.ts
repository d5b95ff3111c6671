import { join } from 'node:path';

import { openConsoleProxy, RfbClient, type ConsoleProxy } from '../console/index.js';
import { describeError, RepriseError } from '../errors.js';
import { FlowTable, ledgerPath, writeLedger } from '../gate/index.js';
import { InputLogWriter, SessionClock, type InputSink } from '../input/index.js';
import { identifyProcess, type RunGrant } from '../lease/index.js';
import type { Machine } from '../machine/index.js';
import { CleanupStack } from '../process/index.js';
import type { SessionSummary, SnapshotStore, WorkingCopy } from '../snapshot/index.js';
import { requireVirtualTime } from '../virtual-time/index.js';

import { bootFilesOf } from './boot-files.js';
import type { VmStatus } from './control.js';
import { FRAME_BUDGET_BYTES } from './frame-inlet.js';
import type { SessionRequest } from './messages.js';
import { PoweredVm } from './powered-vm.js';
import { runtimeDirectory } from './runtime-directory.js';
import { markPoweredOff, openSessionCopy } from './session-copy.js';
import { squeezeBeforeStop } from './squeeze.js';
import { lagWarning, VirtualSession } from './virtual-session.js';

const MAX_WARNINGS = 32;

export interface SessionEvents {
  readonly onProgress?: (text: string) => void;
  readonly signal?: AbortSignal;
}

/** How a session ended by itself. */
export type SessionEnding = 'powered-off' | 'crashed';

/** What happened in the session, for `status` and the snapshot's manifest. */
interface Tally {
  events: number;
  anchors: number;
  diskRestarts: number;
  readonly warnings: string[];
}

interface Parts {
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

/**
 * One session of a VM, from its base to the next suspend: the right to run, the working copy, the
 * powered guest, the console that records. Made by `start`; ended by `suspend`, by `discard`, or by the
 * guest itself (`ended`).
 */
export class Session {
  /** Settles when the hypervisor's process ended although nobody asked it to. */
  readonly ended: Promise<SessionEnding>;
  readonly #parts: Parts;
  readonly #startedAt = new Date().toISOString();
  #state: 'running' | 'suspending' | 'over' = 'running';

  private constructor(parts: Parts) {
    this.#parts = parts;
    this.ended = parts.powered.vm.exited.then(async (exit) => {
      if (this.#state !== 'running') return await new Promise<never>(() => undefined);
      return await this.#guestEnded(exit.code === 0);
    });
  }

  /** Throws VM_UNKNOWN, VM_RUNNING, HELD_ELSEWHERE, HANDOFF_OPEN, SESSION_INTERRUPTED, and what starting can meet. */
  static async start(
    store: SnapshotStore,
    request: SessionRequest,
    events: SessionEvents = {},
  ): Promise<Session> {
    const { name } = request;
    const tally: Tally = { events: 0, anchors: 0, diskRestarts: 0, warnings: [] };
    const clock = new SessionClock();
    clock.pause();
    const flows = new FlowTable(() => clock.now());
    const cleanup = new CleanupStack();
    await store.vm(name);
    const { clock: time } = await store.machine(name);
    if (time === 'virtual') {
      await requireVirtualTime({
        ...(events.signal === undefined ? {} : { signal: events.signal }),
        onTest: () => events.onProgress?.('testing virtual time on this host, once'),
      });
    }
    const grant = await store.lease.acquireToRun(name);
    cleanup.defer(() => grant.release());
    try {
      const { working, resumes } = await openSessionCopy(store, name, request.leftover, {
        signal: events.signal,
        onProgress: ({ step, done, total }) => {
          const percent = total === 0 ? 100 : Math.round((100 * done) / total);
          events.onProgress?.(`${step}: ${String(percent)} %`);
        },
      });
      events.onProgress?.('starting the hypervisor');
      let virtual: VirtualSession | undefined;
      const deliver = (frame: Uint8Array) => virtual?.deliver(frame);
      const powered = cleanup.use(
        await powerOn(store, working, resumes, { tally, flows, deliver }, events.signal),
      );
      const qemu = identifyProcess(powered.vm.processId);
      if (qemu !== undefined) await grant.attach(qemu);
      const { virtualClock } = powered.vm;
      if (virtualClock !== undefined) virtual = await VirtualSession.begin(virtualClock);
      const recorder = cleanup.use(await openRecorder(store, working, powered, virtual));
      virtual?.recordInto(recorder, frameLog(await store.machine(name), tally));
      const console = cleanup.use(
        await openConsole(request, { powered, recorder, clock, tally, virtual }),
      );
      await powered.vm.resume();
      clock.resume();
      cleanup.keep();
      return new Session({
        ...{ store, name, grant, working, resumes, powered, recorder, clock, console, tally },
        virtual,
        flows,
      });
    } catch (error) {
      await cleanup.release();
      throw error;
    }
  }

  async status(): Promise<VmStatus> {
    const { name, powered, console, clock, tally, virtual } = this.#parts;
    const { cpuMs } = await powered.vm.progress();
    const time = await virtual?.status();
    const lag = time === undefined ? undefined : lagWarning(time);
    return {
      name,
      state: this.#state === 'running' ? 'running' : 'suspending',
      pid: process.pid,
      console: console.address,
      startedAt: this.#startedAt,
      sessionMs: Math.round(time === undefined ? clock.now() : time.sessionNs / 1e6),
      ...(time === undefined ? {} : { lagMs: Math.round(time.lagNs / 1e6) }),
      guestCpuMs: cpuMs,
      inputEvents: tally.events,
      diskRestarts: tally.diskRestarts,
      warnings: [...tally.warnings, ...(lag === undefined ? [] : [lag])],
    };
  }

  async screenshot(file: string): Promise<void> {
    await this.#parts.powered.vm.screenshot(file);
  }

  /**
   * Ends the session with nothing lost. Its result is the VM's new head. With `squeeze` the guest first
   * hands its free memory back; input is over by then.
   */
  async suspend(options: { squeeze: boolean } = { squeeze: true }): Promise<{ root: string }> {
    this.#leaveRunning();
    const { store, name, grant, working, powered, recorder, clock, console, virtual } = this.#parts;
    if (virtual !== undefined) await this.#endExactly(virtual);
    await console.endSession();
    // A balloon moves when the host says so: in virtual time there is no such instant.
    if (options.squeeze && virtual === undefined)
      await squeezeBeforeStop(await store.machine(name), powered.vm);
    await powered.vm.pause();
    clock.pause();
    await console.close();
    await recorder.close();
    await powered.suspend(working.paths.device);
    await this.#keepFlows();
    const { root } = await store.commitWorkingCopy(name, { session: this.#summary() });
    await grant.release();
    this.#state = 'over';
    return { root };
  }

  /** Beside the input log, before the commit: a snapshot without it would not know what was sent. */
  async #keepFlows(): Promise<void> {
    const { store, name, working, flows } = this.#parts;
    if ((await store.machine(name)).network === 'none') return;
    const path = ledgerPath(working.paths.inputLog);
    await writeLedger(path, await store.secret(name), flows.ledger());
  }

  /** Stops the guest at a tick, with every input before it in the log. */
  async #endExactly(virtual: VirtualSession): Promise<void> {
    const { console, clock } = this.#parts;
    await console.holdInput();
    clock.settle(await virtual.end());
  }

  /** Ends the session and forgets it: the VM is again where its last snapshot was. */
  async discard(): Promise<void> {
    this.#leaveRunning();
    const { store, name, grant } = this.#parts;
    await this.#takeDown();
    await store.discardWorkingCopy(name);
    await grant.release();
    this.#state = 'over';
  }

  /** The hypervisor went away by itself; what the guest had flushed to its disk is kept. */
  async #guestEnded(cleanly: boolean): Promise<SessionEnding> {
    this.#state = 'over';
    const { working, grant, powered } = this.#parts;
    if (cleanly) {
      await powered.disk.close();
      await markPoweredOff(working);
    }
    await this.#takeDown();
    await grant.release();
    return cleanly ? 'powered-off' : 'crashed';
  }

  async #takeDown(): Promise<void> {
    const { console, recorder, powered } = this.#parts;
    await console.close();
    await recorder.close();
    await powered.discard();
  }

  #leaveRunning(): void {
    if (this.#state !== 'running') {
      throw new RepriseError(
        'VM_NOT_RUNNING',
        `'${this.#parts.name}' is being suspended already. Wait until that is done.`,
      );
    }
    this.#state = 'suspending';
  }

  #summary(): SessionSummary {
    const { working, resumes, clock, tally } = this.#parts;
    return {
      startedAt: this.#startedAt,
      durationMs: Math.round(clock.now()),
      events: tally.events,
      anchors: tally.anchors,
      // What began with a power-on has no state to replay from.
      base: resumes ? working.base : null,
    };
  }
}

async function powerOn(
  store: SnapshotStore,
  working: WorkingCopy,
  resumes: boolean,
  {
    tally,
    flows,
    deliver,
  }: Pick<Parts, 'tally' | 'flows'> & {
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

async function openRecorder(
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
function frameLog({ inboundFrames }: Machine, tally: Tally) {
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

async function openConsole(
  request: SessionRequest,
  parts: Pick<Parts, 'powered' | 'recorder' | 'clock' | 'tally' | 'virtual'>,
): Promise<ConsoleProxy> {
  const { powered, recorder, clock, tally, virtual } = parts;
  const sink: InputSink = {
    record(input) {
      tally.events++;
      if (input.anchor !== undefined) tally.anchors++;
      // In virtual time the log has it already, in the order in which the guest got it.
      if (virtual === undefined) recorder.record(input);
      else virtual.assertRecorded();
    },
    finish: (end) => recorder.finish(end),
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

function warn(tally: Tally, text: string): void {
  if (tally.warnings.length < MAX_WARNINGS) tally.warnings.push(text);
}
