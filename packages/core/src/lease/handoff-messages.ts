import type { HandoffMessage } from './handoff-state.js';
import type { HandoffEffect, In, Present } from './handoff-step.js';

/** The messages that each state of the handoff says, and says again whenever the two hosts meet. */

export function send(to: string, message: HandoffMessage): HandoffEffect {
  return { kind: 'send', to, message };
}

export function envelope(host: string, state: Present) {
  return { host, lineage: state.lineage, ancestors: state.ancestors };
}

export function sendOffer(host: string, state: In<'offering'>): HandoffEffect {
  const { peer, migration, root } = state.offer;
  return send(peer, {
    type: 'offer',
    ...envelope(host, state),
    migration,
    root,
    token: state.token,
  });
}

export function sendPrepared(host: string, state: In<'prepared'>): HandoffEffect {
  const { peer, migration, root } = state.offer;
  return send(peer, {
    type: 'prepared',
    ...envelope(host, state),
    migration,
    root,
    token: state.granted,
  });
}

export function sendCommit(host: string, state: In<'released'>): HandoffEffect {
  const { peer, migration, root } = state.offer;
  return send(peer, {
    type: 'commit',
    ...envelope(host, state),
    migration,
    root,
    token: state.granted,
  });
}

export function sendHello(host: string, state: Present, to: string): HandoffEffect {
  const holding = state.kind === 'holds' || state.kind === 'offering';
  return send(to, { type: 'hello', ...envelope(host, state), holding, token: state.token });
}
