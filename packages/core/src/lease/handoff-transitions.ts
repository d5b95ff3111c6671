import type { Ancestor, HandoffState, Offer, RecordType } from './handoff-state.js';
import type { HandoffEffect, In, Present, Step } from './handoff-step.js';

/** What several rows of the handoff table share. */

export function offered(state: HandoffState, message: { migration: string; root: string }): Step {
  const { migration, root } = message;
  return { state, effects: [{ kind: 'notice', notice: 'offered', migration, root }] };
}

export function done(state: In<'released'>): Step {
  return journal('DONE', { ...common(state), kind: 'copy', token: state.granted }, [
    { kind: 'notice', notice: 'done', ...named(state.offer) },
  ]);
}

export function aborted(state: In<'prepared'>): Step {
  return journal('ABORTED', { ...common(state), kind: 'copy' }, [
    { kind: 'notice', notice: 'aborted', ...named(state.offer) },
  ]);
}

export function then(first: Step, next: (state: HandoffState) => Step): Step {
  const second = next(first.state);
  return { state: second.state, effects: [...first.effects, ...second.effects] };
}

export function journal(
  record: RecordType,
  state: HandoffState,
  after: readonly HandoffEffect[] = [],
): Step {
  return { state, effects: [{ kind: 'journal', record, state }, ...after] };
}

export function unchanged(state: HandoffState): Step {
  return { state, effects: [] };
}

export function common(state: Present) {
  return { lineage: state.lineage, ancestors: state.ancestors, token: state.token };
}

export function named(offer: Offer) {
  return { migration: offer.migration, root: offer.root };
}

export function isFor(
  state: In<'prepared' | 'released'>,
  message: { migration: string; host: string },
) {
  return state.offer.migration === message.migration && state.offer.peer === message.host;
}

export function sameLine(state: HandoffState, other: { lineage: string }): boolean {
  return state.kind !== 'absent' && state.lineage === other.lineage;
}

/** Whether the other side's lineage was forced out of ours. */
export function descends(state: Present, other: { ancestors: readonly Ancestor[] }): boolean {
  return other.ancestors.some((ancestor) => ancestor.lineage === state.lineage);
}
