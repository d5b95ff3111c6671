import type { ErrorCode } from '../errors.js';
import type { Ancestor, HandoffState } from './handoff-state.js';
import type { Present, Step } from './handoff-step.js';

/** What the handoff table says no with: a code, and a sentence that names the way on. */

export function refuse(state: HandoffState, code: ErrorCode, message: string): Step {
  return { state, effects: [{ kind: 'refuse', code, message }] };
}

export function refuseRunning(state: HandoffState): Step {
  return refuse(state, 'VM_RUNNING', 'The VM is running. Suspend it first.');
}

export function refuseNotRunning(state: HandoffState): Step {
  return refuse(state, 'VM_NOT_RUNNING', 'The VM is not running. Start it first.');
}

export function refuseToRun(state: HandoffState): Step {
  switch (state.kind) {
    case 'absent':
      return refuse(state, 'VM_UNKNOWN', 'There is no such VM here. Import or seed it.');
    case 'copy':
      return refuse(
        state,
        'HELD_ELSEWHERE',
        'Another host may run this VM; here is a copy. Migrate it here. If that host is gone for good, "reprise force-take".',
      );
    case 'offering':
      return refuse(
        state,
        'HANDOFF_OPEN',
        'A migration of this VM is open. Go on with "reprise migrate", or take it back with "reprise start NAME --take-back".',
      );
    case 'released':
      return refuse(
        state,
        'HANDOFF_IN_DOUBT',
        'This VM was handed over to another host, which has not confirmed it yet. Connect the two with "reprise migrate". If that host is gone for good, "reprise force-take".',
      );
    case 'prepared':
      return refuse(
        state,
        'HANDOFF_IN_DOUBT',
        'This VM has arrived, but its source has not handed it over yet. Connect the two by migrating again from the source. If the source is gone for good, "reprise force-take".',
      );
    case 'holds':
      return refuse(
        state,
        'INVALID_ARGUMENT',
        'This host holds the VM. Nothing is to be received.',
      );
  }
}

export function conflict(state: Present, theirs: readonly Ancestor[]): Step {
  const override =
    theirs.find((ancestor) => ancestor.lineage === state.lineage) ?? state.ancestors[0];
  const what =
    override === undefined
      ? 'The two hosts hold VMs of one name that do not descend from each other.'
      : `Host ${override.host} took the VM over by force at ${override.at} ("${override.reason}").`;
  return refuse(
    state,
    'HANDOFF_CONFLICT',
    `${what} Decide which side's state counts, and remove the VM on the other (reprise vm rm).`,
  );
}

export function twoHolders(state: Present): Step {
  return refuse(
    state,
    'HANDOFF_CONFLICT',
    'Both hosts hold this VM, as happens when a store was restored from a backup. Decide which side counts, and remove the VM on the other (reprise vm rm).',
  );
}

export function unknownCommit(state: HandoffState): Step {
  return refuse(
    state,
    'HANDOFF_UNKNOWN_COMMIT',
    'The source has handed the VM over, but this store has no trace of having prepared it. If the store was restored from a backup, "reprise force-take" on the source brings the VM back.',
  );
}
