import {
  envelope,
  send,
  sendCommit,
  sendHello,
  sendOffer,
  sendPrepared,
} from './handoff-messages.js';
import { conflict, refuse, refuseRunning, refuseToRun } from './handoff-refusals.js';
import { FORCE_STEP, MAX_ANCESTORS, type Ancestor, type HandoffState } from './handoff-state.js';
import type { HandoffInput, In, Step } from './handoff-step.js';
import { common, descends, journal, sameLine, unchanged } from './handoff-transitions.js';

/** The first half of the table: what happens on the host itself. */

export function seeded(
  state: HandoffState,
  input: Extract<HandoffInput, { type: 'seeded' }>,
): Step {
  const copy: HandoffState = {
    kind: 'copy',
    lineage: input.lineage,
    ancestors: [...input.ancestors],
    token: input.token,
  };
  if (state.kind === 'absent') return journal('SEEDED', copy);
  const follows = state.kind === 'copy' && (sameLine(state, input) || descends(state, input));
  if (!follows || (sameLine(state, input) && state.token > input.token)) {
    return refuse(
      state,
      'VM_EXISTS',
      `This host has a newer state of the VM (${state.kind}) than the seed.`,
    );
  }
  return journal('SEEDED', copy);
}

export function begin(
  host: string,
  state: HandoffState,
  input: Extract<HandoffInput, { type: 'begin' }>,
): Step {
  if (state.kind !== 'holds') return refuseToRun(state);
  if (state.running !== null) return refuseRunning(state);
  const offering: In<'offering'> = {
    kind: 'offering',
    ...common(state),
    offer: { migration: input.migration, root: input.root, peer: input.peer },
  };
  return journal('OFFERED', offering, [sendOffer(host, offering)]);
}

export function cancel(host: string, state: HandoffState): Step {
  if (state.kind === 'released') return refuseToRun(state);
  if (state.kind !== 'offering') return unchanged(state);
  const { migration, peer, root } = state.offer;
  return journal('ABORTED', { kind: 'holds', ...common(state), root, running: null }, [
    send(peer, { type: 'abort', ...envelope(host, state), migration }),
    { kind: 'notice', notice: 'aborted', migration },
  ]);
}

export function proved(
  host: string,
  state: HandoffState,
  input: Extract<HandoffInput, { type: 'proved' }>,
): Step {
  if (state.kind === 'prepared' && state.offer.migration === input.migration) {
    return { state, effects: [sendPrepared(host, state)] };
  }
  if (state.kind !== 'copy') return refuseToRun(state);
  if (!sameLine(state, input) && !descends(state, input)) return conflict(state, input.ancestors);
  if (sameLine(state, input) && state.token > input.token) {
    return refuse(
      state,
      'HANDOFF_STALE',
      'The source offers a token that was handed on long ago. Run "reprise doctor" on the source.',
    );
  }
  const prepared: In<'prepared'> = {
    kind: 'prepared',
    lineage: input.lineage,
    ancestors: [...input.ancestors],
    token: input.token,
    offer: { migration: input.migration, root: input.root, peer: input.peer },
    granted: input.token + 1,
  };
  return journal('PREPARED', prepared, [sendPrepared(host, prepared)]);
}

export function force(
  host: string,
  state: HandoffState,
  input: Extract<HandoffInput, { type: 'force' }>,
): Step {
  if (state.kind !== 'copy' && state.kind !== 'prepared' && state.kind !== 'released') {
    return state.kind === 'absent'
      ? refuseToRun(state)
      : refuse(
          state,
          'INVALID_ARGUMENT',
          'This host may run the VM as it is; there is nothing to force. Start it, or cancel the open migration.',
        );
  }
  const known = 'granted' in state ? Math.max(state.token, state.granted) : state.token;
  const broken: Ancestor = { lineage: state.lineage, host, at: input.at, reason: input.reason };
  return journal('FORCED', {
    kind: 'holds',
    lineage: input.lineage,
    ancestors: [broken, ...state.ancestors].slice(0, MAX_ANCESTORS),
    token: known + FORCE_STEP,
    root: 'offer' in state ? state.offer.root : null,
    running: null,
  });
}

export function concede(
  state: HandoffState,
  input: Extract<HandoffInput, { type: 'concede' }>,
): Step {
  if (state.kind === 'absent') return refuseToRun(state);
  if (state.kind === 'holds' && state.running !== null) return refuseRunning(state);
  if (sameLine(state, input) && input.token <= state.token) {
    return refuse(
      state,
      'INVALID_ARGUMENT',
      'The other host has no later claim than this one: nothing to concede.',
    );
  }
  return journal('CONCEDED', {
    kind: 'copy',
    lineage: input.lineage,
    ancestors: [...input.ancestors],
    token: input.token,
  });
}

export function contact(host: string, state: HandoffState, peer: string): Step {
  switch (state.kind) {
    case 'absent':
      return unchanged(state);
    case 'offering':
      if (state.offer.peer === peer) return { state, effects: [sendOffer(host, state)] };
      break;
    case 'released':
      if (state.offer.peer === peer) return { state, effects: [sendCommit(host, state)] };
      break;
    case 'prepared':
      if (state.offer.peer === peer) return { state, effects: [sendPrepared(host, state)] };
      break;
    case 'copy':
    case 'holds':
      break;
  }
  return { state, effects: [sendHello(host, state, peer)] };
}
