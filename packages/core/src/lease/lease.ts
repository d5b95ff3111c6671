import type { JournalEntry } from './journal.js';
import type { HandoffInput, HandoffNotice } from './handoff-step.js';
import type { HandoffMessage, HandoffState, LeaseRecord } from './handoff-state.js';
import type { ProcessIdentity } from './process-identity.js';

/**
 * Who may run a VM: the port. The embedded default (FileLease) keeps one journal per VM; a site of many hosts would put
 * the same state into a compare-and-set register of an existing engine.
 */
export interface Lease {
  readonly hostId: string;

  /** What this host knows. A `running` whose processes are gone reads as null. `absent` for an unknown VM. */
  state(vm: string): Promise<HandoffState>;

  /**
   * The right to run the VM, for `process` (this one unless told). Stale leftovers of a crash are cleared.
   * Throws VM_RUNNING, HELD_ELSEWHERE, HANDOFF_OPEN, HANDOFF_IN_DOUBT.
   */
  acquireToRun(vm: string, process?: ProcessIdentity): Promise<RunGrant>;

  /**
   * Feeds one input into the handoff table, durably. Messages in the outcome may be sent as soon as this returns, and
   * need not be: they are said again on `contact`. Throws the coded refusal of the table, or a journal's error; the
   * state is then what it was.
   */
  apply(vm: string, input: HandoffInput): Promise<HandoffOutcome>;

  /** Makes this host the holder by an operator's decision; the reason (at most 200 characters) is kept. */
  forceTake(vm: string, reason: string): Promise<HandoffState>;

  /**
   * Removes the VM from this host: checks that it may go, and runs `removeDirectory` before anybody else can start it.
   * Throws VM_RUNNING, HANDOFF_OPEN, HANDOFF_IN_DOUBT.
   */
  retire(vm: string, removeDirectory: () => Promise<void>): Promise<void>;

  /** What happened to the right to run, oldest first. */
  history(vm: string): Promise<readonly JournalEntry<LeaseRecord>[]>;
}

export interface RunGrant {
  readonly token: number;
  readonly lineage: string;
  /** The snapshot that was handed over with this token; null: the VM began here, its head counts. */
  readonly root: string | null;
  /** Names another process (the hypervisor) that must be gone before the VM counts as stopped after a crash. */
  attach(process: ProcessIdentity): Promise<void>;
  /** Whether the grant still stands: false after release, or after a force-take or concede by an operator. */
  isCurrent(): Promise<boolean>;
  /** The VM does not run any more. Idempotent. */
  release(): Promise<void>;
}

export interface HandoffOutcome {
  readonly state: HandoffState;
  readonly messages: readonly { readonly to: string; readonly message: HandoffMessage }[];
  readonly notices: readonly {
    readonly notice: HandoffNotice;
    readonly migration: string;
    readonly root?: string;
  }[];
}

/** Whether this host may run the VM in this state (a migration that is open must be cancelled first). */
export function mayRun(state: HandoffState): boolean {
  return state.kind === 'holds';
}
