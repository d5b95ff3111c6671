import { describeError, RepriseError } from '../errors.js';
import { FlowTable, ledgerPath, writeLedger } from '../gate/index.js';
import { SessionClock } from '../input/index.js';
import { identifyProcess } from '../lease/index.js';
import { CleanupStack } from '../process/index.js';
import type { SessionSummary, SnapshotStore } from '../snapshot/index.js';

import type { VmStatus } from './control.js';
import type { SessionRequest } from './messages.js';
import { markPoweredOff, openSessionCopy } from './session-copy.js';
import {
  frameLog,
  openConsole,
  openRecorder,
  powerOn,
  warn,
  type SessionEvents,
  type SessionParts,
  type Tally,
} from './session-parts.js';
import { SessionStatus } from './session-status.js';
import { squeezeBeforeStop } from './squeeze.js';
import { stopAtTick } from './stop-at-tick.js';
import { VirtualSession } from './virtual-session.js';

/** How a session ended by itself. */
export type SessionEnding = 'powered-off' | 'crashed';

/**
 * One session of a VM, from its base to the next suspend: the right to run, the working copy, the
 * powered guest, the console that records. Made by `start`; ended by `suspend`, by `discard`, or by the
 * guest itself (`ended`).
 */
export class Session {
  /** Settles when the hypervisor's process ended although nobody asked it to. */
  readonly ended: Promise<SessionEnding>;
  readonly #parts: SessionParts;
  readonly #startedAt = new Date().toISOString();
  /** `stopped`: a suspend failed, and may be tried again. */
  #state: 'running' | 'suspending' | 'stopped' | 'over' = 'running';
  #exited = false;
  #paused = false;
  #ended: Promise<void> | undefined;
  readonly #status: SessionStatus;

  private constructor(parts: SessionParts) {
    this.#parts = parts;
    this.#status = new SessionStatus(parts, this.#startedAt);
    this.ended = parts.powered.vm.exited.then(async (exit) => {
      this.#exited = true;
      if (this.#state === 'suspending' || this.#state === 'over')
        return await new Promise<never>(() => undefined);
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
        await openConsole(request, {
          ...{ powered, recorder, clock, tally, virtual },
          onInput: events.onInput,
        }),
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

  /** The root of the snapshot that the session began from; null before the first one. */
  get base(): string | null {
    return this.#parts.working.base;
  }

  async status(): Promise<VmStatus> {
    const state = this.#state === 'running' ? 'running' : 'suspending';
    return { ...(await this.#status.get()), state };
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
    try {
      return await this.#suspend(options);
    } catch (error) {
      this.#keepWhatRuns(error);
      throw error;
    }
  }

  async #suspend(options: { squeeze: boolean }): Promise<{ root: string }> {
    const { store, name, grant, working, powered, recorder, clock, console, virtual } = this.#parts;
    if (virtual !== undefined) await this.#endExactly(virtual);
    await console.endSession();
    // A balloon moves when the host says so: in virtual time there is no such instant.
    if (options.squeeze && virtual === undefined && !this.#paused)
      await squeezeBeforeStop(await store.machine(name), powered.vm);
    await powered.vm.pause();
    this.#paused = true;
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

  /** While QEMU is there the guest's memory is, too: what failed (a full disk, say) can be mended, and tried again. */
  #keepWhatRuns(error: unknown): void {
    if (this.#exited) {
      this.#state = 'over';
      return;
    }
    this.#state = 'stopped';
    warn(
      this.#parts.tally,
      `The VM stands still and was not suspended: ${describeError(error)} Nothing is lost as long as its supervisor runs: suspend it again, or discard the session.`,
    );
  }

  /** Whether nothing is left that this process would be needed for. */
  get isOver(): boolean {
    return this.#state === 'over';
  }

  /** Beside the input log, before the commit: a snapshot without it would not know what was sent. */
  async #keepFlows(): Promise<void> {
    const { store, name, working, flows } = this.#parts;
    if ((await store.machine(name)).network === 'none') return;
    const path = ledgerPath(working.paths.inputLog);
    await writeLedger(path, await store.secret(name), flows.ledger());
  }

  /** Once, however often a suspend is tried. */
  #endExactly(virtual: VirtualSession): Promise<void> {
    this.#ended ??= stopAtTick(virtual, this.#parts);
    return this.#ended;
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
    if (this.#state !== 'running' && this.#state !== 'stopped') {
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
