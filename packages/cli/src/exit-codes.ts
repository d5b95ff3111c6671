import { RepriseError, type ErrorCode } from '@reprise/core';

/** What a script can tell from the exit code. Documented in docs/cli.md. */
export const exitCodes = {
  ok: 0,
  /** A defect of reprise, or something that nobody foresaw. */
  internal: 1,
  /** An argument or a definition is not acceptable. */
  usage: 2,
  /** This host lacks something: a program, an accelerator, space. */
  host: 3,
  /** The VM is not in the state for this: unknown, running, elsewhere, interrupted. */
  vm: 4,
  /** The other host could not be reached, or the connection broke. */
  link: 5,
  /** The other host cannot take the VM: no base, another machine, no room. */
  peer: 6,
  /** What was read or received is not what it must be. */
  damaged: 7,
  interrupted: 130,
} as const;

const byCode: Partial<Record<ErrorCode, number>> = {
  INVALID_ARGUMENT: exitCodes.usage,
  INVALID_MACHINE: exitCodes.usage,
  EFFECT_RULES_INVALID: exitCodes.usage,
  MISSING_PROGRAM: exitCodes.host,
  ACCELERATOR_UNUSABLE: exitCodes.host,
  INSUFFICIENT_SPACE: exitCodes.host,
  HYPERVISOR_START_FAILED: exitCodes.host,
  NETWORK_UNAVAILABLE: exitCodes.host,
  VIRTUAL_TIME_UNAVAILABLE: exitCodes.host,
  VM_UNKNOWN: exitCodes.vm,
  VM_EXISTS: exitCodes.vm,
  VM_RUNNING: exitCodes.vm,
  VM_NOT_RUNNING: exitCodes.vm,
  NOTHING_TO_REHEARSE: exitCodes.vm,
  SESSION_INTERRUPTED: exitCodes.vm,
  SUPERVISOR_UNREACHABLE: exitCodes.vm,
  HELD_ELSEWHERE: exitCodes.vm,
  HANDOFF_OPEN: exitCodes.vm,
  HANDOFF_IN_DOUBT: exitCodes.vm,
  HANDOFF_CONFLICT: exitCodes.vm,
  LINK_FAILED: exitCodes.link,
  LINK_CLOSED: exitCodes.link,
  TIMEOUT: exitCodes.link,
  NO_COMMON_BASE: exitCodes.peer,
  INCOMPATIBLE_PEER: exitCodes.peer,
  DESTINATION_FULL: exitCodes.peer,
  VERSION_MISMATCH: exitCodes.peer,
  PEER_ERROR: exitCodes.peer,
  PROTOCOL_VIOLATION: exitCodes.peer,
  FRAME_TOO_LARGE: exitCodes.peer,
  PROOF_FAILED: exitCodes.damaged,
  JOURNAL_CORRUPT: exitCodes.damaged,
  ROOT_MISMATCH: exitCodes.damaged,
  REPLAY_DIVERGED: exitCodes.damaged,
  CANCELLED: exitCodes.interrupted,
};

export function exitCodeOf(error: unknown): number {
  if (!(error instanceof RepriseError)) return exitCodes.internal;
  return byCode[error.code] ?? exitCodes.internal;
}
