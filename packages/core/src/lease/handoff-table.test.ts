import { describe, expect, jest, test } from '@jest/globals';

import {
  Exploration,
  LINEAGE,
  uuid,
  type Transition,
  type World,
} from './testing/handoff-exploration.js';
import { ABSENT, type HandoffState } from './handoff-state.js';
import { step } from './handoff-table.js';

jest.setTimeout(600_000); // exhaustive; a busy machine takes its time

type Entitled = Extract<HandoffState, { kind: 'holds' | 'offering' }>;

const entitled = (states: readonly HandoffState[]): Entitled[] =>
  states.filter((state) => state.kind === 'holds' || state.kind === 'offering');
const runners = (states: readonly HandoffState[]) =>
  states.filter((state) => state.kind === 'holds' && state.running !== null).length;
const inDoubt = (states: readonly HandoffState[]) =>
  states.filter((state) => state.kind === 'released' || state.kind === 'prepared').length;

/** What must hold at every instant while no operator overrides. */
function assertOneRunner({ states }: World): void {
  if (runners(states) > 1) throw new Error(`two runners: ${JSON.stringify(states)}`);
  if (entitled(states).length > 1) throw new Error(`two may run: ${JSON.stringify(states)}`);
}

function assertSettles(exploration: Exploration, world: World): void {
  const settled = exploration.settle(world);
  if (entitled(settled).length !== 1 || inDoubt(settled) > 0) {
    throw new Error(`nobody owns it: ${JSON.stringify([world.states, settled])}`);
  }
}

/** Across lineages nothing is merged by itself: a person decides. */
function assertTalkingMergesNothing(exploration: Exploration, world: World): void {
  const lineages = world.states.map((state) => (state.kind === 'absent' ? '' : state.lineage));
  if (new Set(lineages).size < 2) return;
  if (JSON.stringify(exploration.settle(world)) !== JSON.stringify(world.states)) {
    throw new Error('talking changed a VM that an override had divided');
  }
}

/** Minutes, not seconds: for whoever changes the table. */
const LONG = process.env['REPRISE_LONG_TESTS'] === '1';

describe('the handoff table', () => {
  test.each([
    { hosts: 2, migrations: 2, forces: 0 },
    { hosts: 3, migrations: 1, forces: 0 },
    ...(LONG ? [{ hosts: 2, migrations: 3, forces: 0 }] : []),
  ])(
    'never lets two hosts run, and always one once they talk, under any loss, double, delay and crash: %j',
    (bounds) => {
      const exploration = new Exploration(bounds);
      const kinds = new Set<string>();
      const worlds = exploration.run((world) => {
        assertOneRunner(world);
        assertSettles(exploration, world);
        for (const state of world.states) kinds.add(state.kind);
      });
      expect([...kinds].sort()).toEqual(['copy', 'holds', 'offering', 'prepared', 'released']);
      expect(worlds).toBeGreaterThan(500);
    },
  );

  test('lets two hosts hold a VM only in different lineages, after an override that is on record', () => {
    const exploration = new Exploration({ hosts: 2, migrations: LONG ? 2 : 1, forces: 1 });
    let divided = 0;
    exploration.run((world) => {
      assertTalkingMergesNothing(exploration, world);
      const [a, b] = entitled(world.states);
      if (a === undefined || b === undefined) return;
      divided += 1;
      if (a.lineage === b.lineage) throw new Error('one lineage, two holders');
      const reasons = [...a.ancestors, ...b.ancestors].map((ancestor) => ancestor.reason);
      if (!reasons.includes('the other burnt')) throw new Error('the override left no trace');
    });
    expect(divided).toBeGreaterThan(0);
  });

  test.each<[string, Transition]>([
    [
      'a destination that runs as soon as it is prepared',
      (host, state, input) => {
        const next = step(host, state, input);
        if (input.type !== 'proved' || next.state.kind !== 'prepared') return next;
        const { lineage, ancestors, granted: token } = next.state;
        const holds: HandoffState = {
          kind: 'holds',
          lineage,
          ancestors,
          token,
          root: null,
          running: null,
        };
        return { state: holds, effects: [{ kind: 'journal', record: 'OWNED', state: holds }] };
      },
    ],
    [
      'a source that takes back what it has released',
      (host, state, input) => {
        if (input.type !== 'cancel' || state.kind !== 'released') return step(host, state, input);
        const { lineage, ancestors, token, offer } = state;
        return step(host, { kind: 'offering', lineage, ancestors, token, offer }, input);
      },
    ],
    [
      'a prepared destination that gives up by itself',
      (host, state, input) => {
        if (input.type !== 'cancel' || state.kind !== 'prepared') return step(host, state, input);
        const { lineage, ancestors, token } = state;
        const copy: HandoffState = { kind: 'copy', lineage, ancestors, token };
        return { state: copy, effects: [{ kind: 'journal', record: 'ABORTED', state: copy }] };
      },
    ],
    [
      'a source that says commit without having journaled it',
      (host, state, input) => {
        const next = step(host, state, input);
        if (state.kind !== 'offering' || next.state.kind !== 'released') return next;
        return { state, effects: next.effects.filter((effect) => effect.kind !== 'journal') };
      },
    ],
    [
      'a destination that takes a commit for another migration',
      (host, state, input) => {
        if (input.type !== 'message' || state.kind !== 'prepared') return step(host, state, input);
        const { migration, root } = state.offer;
        return input.message.type === 'abort'
          ? step(host, state, {
              type: 'message',
              message: { ...input.message, type: 'commit', migration, root, token: state.granted },
            })
          : step(host, state, input);
      },
    ],
  ])('would be found broken by this exploration with %s', (_what, broken) => {
    const exploration = new Exploration({ hosts: 2, migrations: 1, forces: 0 }, broken);
    expect(() =>
      exploration.run((world) => {
        assertOneRunner(world);
        assertSettles(exploration, world);
      }),
    ).toThrow(/two|nobody owns|never|not on disk/);
  });

  test('would be found broken with a host that overlooks another lineage', () => {
    const overlooks: Transition = (host, state, input) =>
      input.type === 'message' && state.kind !== 'absent'
        ? step(host, state, {
            type: 'message',
            message: { ...input.message, lineage: state.lineage },
          })
        : step(host, state, input);
    const exploration = new Exploration({ hosts: 2, migrations: 1, forces: 1 }, overlooks);
    expect(() =>
      exploration.run((world) => {
        assertTalkingMergesNothing(exploration, world);
      }),
    ).toThrow('divided');
  });

  test('names who overrode what, when and why, to the side that comes back', () => {
    const [here, there] = [uuid(1), uuid(2)];
    const holds = step(here, ABSENT, { type: 'import', lineage: LINEAGE }).state;
    const copy: HandoffState = { kind: 'copy', lineage: LINEAGE, ancestors: [], token: 1 };
    const at = '2026-02-03T04:05:06Z';
    const force = { type: 'force', lineage: uuid(101), at, reason: 'stolen laptop' } as const;
    const forced = step(there, copy, force).state;
    const [hello] = step(there, forced, { type: 'contact', peer: here }).effects;
    if (hello?.kind !== 'send') throw new Error('no hello');
    const answer = step(here, holds, { type: 'message', message: hello.message });
    expect(answer.state).toBe(holds);
    expect(answer.effects).toEqual([
      {
        kind: 'refuse',
        code: 'HANDOFF_CONFLICT',
        message: expect.stringMatching(/2026-02-03.*stolen laptop.*vm rm/),
      },
    ]);
  });
});
