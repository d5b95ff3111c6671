import { refuse, refuseNotRunning, refuseRunning, refuseToRun } from './handoff-refusals.js';
import { ABSENT, MAX_PROCESSES, type HandoffState } from './handoff-state.js';
import type { HandoffInput, Step } from './handoff-step.js';
import { journal, unchanged } from './handoff-transitions.js';
import { begin, cancel, concede, contact, force, proved, seeded } from './handoff-local.js';
import { receive } from './handoff-receive.js';

/**
 * The handoff as one pure function: docs/formats/handoff.md row by row. It knows no file, clock or link. Effects are carried
 * out in order; `journal` must be on stable storage before anything after it happens, and before the state counts.
 * What a host does by itself is in handoff-local.ts, what it does about a message in handoff-receive.ts.
 */

/** @param host this host's id, put into every message. */
export function step(host: string, state: HandoffState, input: HandoffInput): Step {
  switch (input.type) {
    case 'message':
      return receive(host, state, input.message);
    case 'contact':
      return contact(host, state, input.peer);
    case 'import':
      if (state.kind !== 'absent') return refuse(state, 'VM_EXISTS', 'The VM is here already.');
      return journal('CREATED', {
        kind: 'holds',
        lineage: input.lineage,
        ancestors: [],
        token: 1,
        root: null,
        running: null,
      });
    case 'seeded':
      return seeded(state, input);
    case 'start':
      if (state.kind !== 'holds') return refuseToRun(state);
      if (state.running !== null) return refuseRunning(state);
      return journal('STARTED', { ...state, running: [input.process] });
    case 'attach':
      if (state.kind !== 'holds' || state.running === null) return refuseNotRunning(state);
      return journal('STARTED', {
        ...state,
        running: [...state.running, input.process].slice(-MAX_PROCESSES),
      });
    case 'stop':
      if (state.kind !== 'holds' || state.running === null) return unchanged(state);
      return journal('STOPPED', { ...state, running: null });
    case 'begin':
      return begin(host, state, input);
    case 'cancel':
      return cancel(host, state);
    case 'proved':
      return proved(host, state, input);
    case 'force':
      return force(host, state, input);
    case 'concede':
      return concede(state, input);
    case 'remove':
      if (state.kind === 'absent' || state.kind === 'copy') return { state: ABSENT, effects: [] };
      if (state.kind !== 'holds') return refuseToRun(state);
      return state.running === null ? { state: ABSENT, effects: [] } : refuseRunning(state);
  }
}
