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

  // snapshot store, lease (src/snapshot, src/lease)
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
