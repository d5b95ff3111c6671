import type { ErrorCode } from '../errors.js';
import {
  envelope,
  send,
  sendCommit,
  sendHello,
  sendOffer,
  sendPrepared,
} from './handoff-messages.js';
import {
  conflict,
  refuse,
  refuseNotRunning,
  refuseRunning,
  refuseToRun,
  twoHolders,
  unknownCommit,
} from './handoff-refusals.js';
import {
  ABSENT,
  FORCE_STEP,
  MAX_ANCESTORS,
  MAX_PROCESSES,
  type Ancestor,
  type HandoffMessage,
  type HandoffState,
  type Offer,
  type RecordType,
} from './handoff-state.js';
import type { ProcessIdentity } from './process-identity.js';

/**
 * The handoff as one pure function: docs/formats/handoff.md row by row. It knows no file, clock or link. Effects are carried
 * out in order; `journal` must be on stable storage before anything after it happens, and before the state counts.
 */

export type HandoffInput =
  | { readonly type: 'import'; readonly lineage: string }
  | {
      readonly type: 'seeded';
      readonly lineage: string;
      readonly ancestors: readonly Ancestor[];
      readonly token: number;
    }
  | { readonly type: 'start'; readonly process: ProcessIdentity }
  /** One more process without which the VM would not be gone: the hypervisor beside its supervisor. */
  | { readonly type: 'attach'; readonly process: ProcessIdentity }
  | { readonly type: 'stop' }
  | ({ readonly type: 'begin' } & Offer)
  | { readonly type: 'cancel' }
  | ({
      readonly type: 'proved';
      readonly lineage: string;
      readonly ancestors: readonly Ancestor[];
      /** The source's token, as its offer said; the destination will own the next one. */
      readonly token: number;
    } & Offer)
  | {
      readonly type: 'force';
      readonly lineage: string;
      readonly at: string;
      readonly reason: string;
    }
  | {
      readonly type: 'concede';
      readonly lineage: string;
      readonly ancestors: readonly Ancestor[];
      readonly token: number;
    }
  | { readonly type: 'remove' }
  /** The two hosts can talk (again). */
  | { readonly type: 'contact'; readonly peer: string }
  | { readonly type: 'message'; readonly message: HandoffMessage };

/** What the pipeline wants to know about a migration. */
export type HandoffNotice = 'offered' | 'released' | 'owned' | 'done' | 'aborted';

export type HandoffEffect =
  | { readonly kind: 'journal'; readonly record: RecordType; readonly state: HandoffState }
  | { readonly kind: 'send'; readonly to: string; readonly message: HandoffMessage }
  | {
      readonly kind: 'notice';
      readonly notice: HandoffNotice;
      readonly migration: string;
      readonly root?: string;
    }
  | { readonly kind: 'refuse'; readonly code: ErrorCode; readonly message: string };

export interface Step {
  readonly state: HandoffState;
  readonly effects: readonly HandoffEffect[];
}

export type Present = Exclude<HandoffState, { kind: 'absent' }>;
export type In<K extends HandoffState['kind']> = Extract<HandoffState, { kind: K }>;
type Message<K extends HandoffMessage['type']> = Extract<HandoffMessage, { type: K }>;

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

// ---- what happens on the host itself

function seeded(state: HandoffState, input: Extract<HandoffInput, { type: 'seeded' }>): Step {
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

function begin(
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

function cancel(host: string, state: HandoffState): Step {
  if (state.kind === 'released') return refuseToRun(state);
  if (state.kind !== 'offering') return unchanged(state);
  const { migration, peer, root } = state.offer;
  return journal('ABORTED', { kind: 'holds', ...common(state), root, running: null }, [
    send(peer, { type: 'abort', ...envelope(host, state), migration }),
    { kind: 'notice', notice: 'aborted', migration },
  ]);
}

function proved(
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

function force(
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

function concede(state: HandoffState, input: Extract<HandoffInput, { type: 'concede' }>): Step {
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

function contact(host: string, state: HandoffState, peer: string): Step {
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

// ---- what arrives

function receive(host: string, state: HandoffState, message: HandoffMessage): Step {
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

// ---- transitions that several rows share

function offered(state: HandoffState, message: Message<'offer'>): Step {
  const { migration, root } = message;
  return { state, effects: [{ kind: 'notice', notice: 'offered', migration, root }] };
}

function done(state: In<'released'>): Step {
  return journal('DONE', { ...common(state), kind: 'copy', token: state.granted }, [
    { kind: 'notice', notice: 'done', ...named(state.offer) },
  ]);
}

function aborted(state: In<'prepared'>): Step {
  return journal('ABORTED', { ...common(state), kind: 'copy' }, [
    { kind: 'notice', notice: 'aborted', ...named(state.offer) },
  ]);
}

function then(first: Step, next: (state: HandoffState) => Step): Step {
  const second = next(first.state);
  return { state: second.state, effects: [...first.effects, ...second.effects] };
}

function journal(
  record: RecordType,
  state: HandoffState,
  after: readonly HandoffEffect[] = [],
): Step {
  return { state, effects: [{ kind: 'journal', record, state }, ...after] };
}

function unchanged(state: HandoffState): Step {
  return { state, effects: [] };
}

// ---- reading states

function common(state: Present) {
  return { lineage: state.lineage, ancestors: state.ancestors, token: state.token };
}

function named(offer: Offer) {
  return { migration: offer.migration, root: offer.root };
}

function isFor(state: In<'prepared' | 'released'>, message: { migration: string; host: string }) {
  return state.offer.migration === message.migration && state.offer.peer === message.host;
}

function sameLine(state: HandoffState, other: { lineage: string }): boolean {
  return state.kind !== 'absent' && state.lineage === other.lineage;
}

/** Whether the other side's lineage was forced out of ours. */
function descends(state: Present, other: { ancestors: readonly Ancestor[] }): boolean {
  return other.ancestors.some((ancestor) => ancestor.lineage === state.lineage);
}
