/**
 * Every operating fault that reaches a caller is a RepriseError: a stable code to act on, a context to
 * look into, and a message whose last sentence says what to do next. A programmer's mistake asserts instead.
 */
export const errorCodes = {
  // arguments, configuration, the environment
  INVALID_ARGUMENT: 'an argument or an option is not acceptable',
  INVALID_MACHINE: 'a machine definition does not fit the schema',
  MISSING_PROGRAM: 'a program that reprise starts is not installed',
  CANCELLED: 'the caller cancelled, or a signal arrived',
  TIMEOUT: 'something did not answer within its deadline',
  INTERNAL: 'a defect of reprise itself',

  // hypervisor
  HYPERVISOR_START_FAILED: 'the hypervisor ended or said no while it started',
  HYPERVISOR_GONE: 'the hypervisor process ended while it was needed',
  HYPERVISOR_REFUSED: 'the hypervisor refused a command',
  ACCELERATOR_UNUSABLE: 'the requested accelerator does not run guests here',
  SUSPEND_FAILED: 'the device state could not be saved',
  RESUME_FAILED: 'the device state could not be loaded',
  DISPLAY_UNAVAILABLE: 'the display could not be read',

  // side effects (src/gate)
  GATE_NOT_CLOSED: 'a replay would run with a way to the network',
  NETWORK_UNAVAILABLE: 'the process that is the network of a guest ended, or did not start',
  EFFECT_RULES_INVALID: 'the file of rules for side effects does not fit its schema',

  // virtual time (src/virtual-time)
  VIRTUAL_TIME_UNAVAILABLE: 'this host cannot run a guest in virtual time',
  VIRTUAL_CLOCK_FAILED: 'the virtual clock of a guest did not do what it was asked',
  INPUT_NOT_TAKEN: 'a guest in virtual time did not get an input, and will not',
  VIRTUAL_TIME_REFUSED: 'it would reach a guest in virtual time at an instant that no replay finds',

  NOTHING_TO_REHEARSE: 'the VM has no session that could be replayed exactly',
  REHEARSAL_FAILED: 'a session could not be replayed on the host that recorded it',
  REPLAY_DIVERGED: 'a replay in virtual time was not its session',

  // supervisor
  VM_RUNNING: 'the VM is running and must not be',
  VM_NOT_RUNNING: 'the VM is not running and must be',
  SUPERVISOR_UNREACHABLE: 'the process that owns a running VM does not answer',
  DISK_UNAVAILABLE: 'the process that serves the disk ended',

  // link and protocol
  LINK_FAILED: 'the connection could not be made, or broke',
  LINK_CLOSED: 'the peer closed the connection',
  PROTOCOL_VIOLATION: 'the peer sent what the protocol does not allow',
  VERSION_MISMATCH: 'no protocol version is spoken by both sides',
  FRAME_TOO_LARGE: 'a frame announces more bytes than its kind may have',
  PEER_ERROR: 'the other side reported an error',

  // migration
  NO_COMMON_BASE: 'the two hosts share no snapshot of this VM',
  INCOMPATIBLE_PEER: 'the other host cannot run this machine',
  PROOF_FAILED: 'the state at the destination does not prove equal to the source',
  DESTINATION_FULL: 'the destination lacks the space for the VM',
  VM_UNKNOWN_AT_DESTINATION: 'the destination does not know the VM',

  // console and input (src/console, src/input)
  DISPLAY_LOST: 'the connection to the display ended while it was needed',
  RFB_VIOLATION: 'an RFB peer sent what the protocol does not allow',
  RFB_UNSUPPORTED: 'an RFB peer offers nothing that this side speaks',
  RFB_AUTHENTICATION_FAILED: 'the password for a console was refused',
  CONSOLE_ADDRESS_IN_USE: 'another console listens at this address',
  CONSOLE_LISTEN_FAILED: 'the console could not listen at its address',
  INPUT_LOG_UNREADABLE: 'an input log cannot be opened, is of another kind, or does not parse',
  INPUT_LOG_TAMPERED:
    'an input log, or a sealed blob, does not authenticate with the key of this VM',
  INPUT_LOG_WRITE_FAILED: 'the input log could not be written',

  // sessions
  SESSION_INTERRUPTED: 'a session ended without a suspend, and nothing says what to do with it',

  // snapshot store, lease (src/snapshot, src/lease)
  VM_UNKNOWN: 'the store has no VM of this name',
  VM_EXISTS: 'the store has a VM of this name already',
  VM_BUSY: 'another process is working on the VM',
  VM_NEVER_SUSPENDED: 'the VM has no snapshot yet',
  SNAPSHOT_UNKNOWN: 'the store does not hold this snapshot',
  SNAPSHOT_IN_USE: 'the snapshot or working copy is needed by something',
  WORKING_COPY_EXISTS: 'the VM has a working copy already',
  WORKING_COPY_MISSING: 'the VM has no working copy, or an incomplete one',
  BOOT_FILE_MISSING: 'a kernel or initrd that the machine names is not in the store',
  ROOT_MISMATCH: 'a state does not have the root digest that it must have',
  INSUFFICIENT_SPACE: 'the file system of the store has too little space left',
  COPY_FAILED: 'a file could not be copied',
  STORE_CORRUPT: 'a file of the store is damaged',
  STORE_VERSION: 'the store was written by a newer reprise',
  HELD_ELSEWHERE: 'another host may run the VM',
  HANDOFF_OPEN: 'a migration of the VM is open',
  HANDOFF_IN_DOUBT: 'the VM is between two hosts, and only contact can settle it',
  HANDOFF_CONFLICT: 'two hosts claim the VM after an override or a restored backup',
  HANDOFF_STALE: 'a peer speaks from a state that was left long ago',
  HANDOFF_UNKNOWN_COMMIT: 'the VM was handed to this host, which has no trace of it',
  JOURNAL_CORRUPT: 'a journal is damaged',
  JOURNAL_WRITE_FAILED: 'a journal could not be written; nothing happened',
  JOURNAL_UNCERTAIN: 'a journal could not be written, and what is on disk is not certain',
} as const;

export type ErrorCode = keyof typeof errorCodes;

export interface ErrorDetails {
  /** Facts for a log or a bug report. Never a secret, never input. */
  readonly context?: Readonly<Record<string, unknown>>;
  readonly cause?: unknown;
}

export class RepriseError extends Error {
  readonly code: ErrorCode;
  readonly context: Readonly<Record<string, unknown>>;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = 'RepriseError';
    this.code = code;
    this.context = details.context ?? {};
  }
}

/** Throws the coded form of an abort when `signal` has fired. */
export function throwIfCancelled(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw cancelled(signal);
}

/** The error that stands for an aborted signal; a coded reason given to abort() wins. */
export function cancelled(signal: AbortSignal): RepriseError {
  const reason: unknown = signal.reason;
  if (reason instanceof RepriseError) return reason;
  return new RepriseError('CANCELLED', 'Cancelled. Run the same command again to go on.', {
    cause: reason,
  });
}

/** A sentence for a person about anything that was thrown. */
export function describeError(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
