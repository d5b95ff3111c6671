import { envelope, send, sendCommit, sendHello, sendPrepared } from './handoff-messages.js';
import { conflict, refuse, twoHolders, unknownCommit } from './handoff-refusals.js';
import type { HandoffMessage, HandoffState } from './handoff-state.js';
import type { In, Present, Step } from './handoff-step.js';
import {
  aborted,
  common,
  descends,
  done,
  isFor,
  journal,
  named,
  offered,
  sameLine,
  then,
  unchanged,
} from './handoff-transitions.js';

type Message<K extends HandoffMessage['type']> = Extract<HandoffMessage, { type: K }>;

/** The second half of the table: what arrives. */
export function receive(host: string, state: HandoffState, message: HandoffMessage): Step {
  if (state.kind === 'absent') {
    return message.type === 'commit' ? unknownCommit(state) : unchanged(state);
  }
  if (!sameLine(state, message)) {
    const follows = state.kind === 'copy' && descends(state, message);
    if (!follows) return conflict(state, message.ancestors);
    // A mere copy follows an override silently; the new lineage is journaled when it next prepares.
    return message.type === 'offer' ? offered(state, message) : unchanged(state);
  }
  switch (message.type) {
    case 'offer':
      return receiveOffer(host, state, message);
    case 'prepared':
      return receivePrepared(host, state, message);
    case 'commit':
      return receiveCommit(host, state, message);
    case 'owned':
      return state.kind === 'released' && state.granted <= message.token
        ? done(state)
        : unchanged(state);
    case 'abort':
      return state.kind === 'prepared' && isFor(state, message) ? aborted(state) : unchanged(state);
    case 'hello':
      return receiveHello(state, message);
  }
}

function receiveOffer(host: string, state: Present, message: Message<'offer'>): Step {
  switch (state.kind) {
    case 'copy':
      if (state.token <= message.token) return offered(state, message);
      return { state, effects: [sendHello(host, state, message.host)] };
    case 'holds':
    case 'offering':
      if (state.token <= message.token) return twoHolders(state);
      return { state, effects: [sendHello(host, state, message.host)] };
    case 'released':
      if (state.granted > message.token) return unchanged(state);
      return then(done(state), (next) => offered(next, message));
    case 'prepared':
      if (isFor(state, message)) return { state, effects: [sendPrepared(host, state)] };
      if (state.granted <= message.token) {
        return then(aborted(state), (next) => offered(next, message));
      }
      if (state.offer.peer !== message.host) return unchanged(state);
      return { state, effects: [sendPrepared(host, state)] };
  }
}

function receivePrepared(host: string, state: Present, message: Message<'prepared'>): Step {
  if (state.kind === 'released' && isFor(state, message)) {
    return { state, effects: [sendCommit(host, state)] };
  }
  if (state.kind === 'offering' && state.offer.migration === message.migration) {
    const exact =
      state.offer.peer === message.host &&
      state.offer.root === message.root &&
      message.token === state.token + 1;
    if (!exact) {
      return refuse(
        state,
        'PROTOCOL_VIOLATION',
        'The destination prepared something else than was offered. Nothing was handed over; migrate again.',
      );
    }
    const released: In<'released'> = {
      ...common(state),
      kind: 'released',
      offer: state.offer,
      granted: message.token,
    };
    return journal('RELEASED', released, [
      sendCommit(host, released),
      { kind: 'notice', notice: 'released', ...named(state.offer) },
    ]);
  }
  const { migration } = message;
  return {
    state,
    effects: [send(message.host, { type: 'abort', ...envelope(host, state), migration })],
  };
}

function receiveCommit(host: string, state: Present, message: Message<'commit'>): Step {
  const { migration, token } = message;
  const owned = send(message.host, { type: 'owned', ...envelope(host, state), migration, token });
  if (state.kind === 'prepared' && isFor(state, message)) {
    if (state.offer.root !== message.root || state.granted !== token) {
      return refuse(
        state,
        'PROTOCOL_VIOLATION',
        'The source handed over something else than was prepared. Run "reprise doctor" on both hosts.',
      );
    }
    return journal(
      'OWNED',
      { ...common(state), kind: 'holds', token, root: state.offer.root, running: null },
      [owned, { kind: 'notice', notice: 'owned', ...named(state.offer) }],
    );
  }
  const holder = state.kind === 'holds' || state.kind === 'offering' || state.kind === 'released';
  const ownedBefore = holder ? state.token >= token : state.token > token;
  return ownedBefore ? { state, effects: [owned] } : unknownCommit(state);
}

function receiveHello(state: Present, message: Message<'hello'>): Step {
  if (!message.holding) return unchanged(state);
  switch (state.kind) {
    case 'released':
      return state.granted <= message.token ? done(state) : unchanged(state);
    case 'prepared':
      return state.granted <= message.token ? aborted(state) : unchanged(state);
    case 'holds':
    case 'offering':
      return state.token <= message.token ? twoHolders(state) : unchanged(state);
    case 'copy':
      return unchanged(state);
  }
}
