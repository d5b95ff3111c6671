import { describe, expect, test } from '@jest/globals';

import type { InputLog, SessionMark } from '../input/index.js';

import { comparableMarks, describeDivergence, differingParts, divergenceAt } from './divergence.js';
import { until } from './rehearse.js';

const mark = (atMs: number, change: Partial<SessionMark> = {}): SessionMark => ({
  ...{ atMs, instructions: atMs * 1000, diskRequests: atMs / 1000 },
  ...{ framesReceived: 0, framesSent: 0, disk: 1, input: 2, memory: 3 },
  ...change,
});
const key = (atMs: number) => ({
  atMs,
  event: { kind: 'extended-key' as const, down: true, keysym: 0x61, keycode: 30 },
});
const pointer = (atMs: number) => ({
  atMs,
  event: { kind: 'pointer' as const, x: 1, y: 1, buttons: 0 },
});

/** An input at the very instant of a mark belongs to the interval after it. */
const log: InputLog = {
  header: {
    ...{ width: 640, height: 480, held: [], buttons: 0 },
    virtual: { startNs: 0n, markEveryMs: 10_000 },
  },
  events: [key(5000), key(10_000), pointer(15_000), key(19_990), key(20_000), key(29_000)],
  frames: [{ atMs: 12_000, after: 2, bytes: Uint8Array.of(1) }],
  marks: [mark(10_000), mark(20_000), mark(30_000)],
  end: { atMs: 31_000 },
};

describe('a replay that goes another way', () => {
  test('is told by the interval, by what differs, and by what the session had there', () => {
    const found = divergenceAt(log, 1, ['instructions', 'disk'], 0);
    expect(found).toEqual({
      ...{ session: 0, fromMs: 10_000, toMs: 20_000, different: ['instructions', 'disk'] },
      ...{ keys: 2, pointer: 1, frames: 1, diskRequests: 10 },
    });
    expect(describeDivergence(found)).toBe(
      'the replay went another way between 10 and 20 s of the session: the instructions that ran, what the disk was asked differ; the session had 2 key events, 1 pointer event, 1 network frame, 10 disk requests there',
    );
  });

  test('may have done so an interval earlier where only memory tells', () => {
    expect(divergenceAt(log, 2, ['memory'], 1)).toMatchObject({
      ...{ session: 1, fromMs: 10_000, toMs: 30_000, keys: 4, diskRequests: 20 },
    });
    expect(divergenceAt(log, 0, ['memory'], 0)).toMatchObject({ fromMs: 0, toMs: 10_000 });
  });

  test('is not looked for where frames of the network are missing', () => {
    expect(comparableMarks({ ...log, framesMissingFromMs: 20_000 })).toHaveLength(2);
    expect(comparableMarks({ ...log, end: { atMs: 5000 } })).toHaveLength(0);
  });

  test('differs in each part of a mark by name', () => {
    expect(differingParts(mark(1), mark(1))).toEqual([]);
    for (const part of ['instructions', 'framesSent', 'input', 'memory'] as const)
      expect(differingParts(mark(1), mark(1, { [part]: 77 }))).toEqual([part]);
  });
});

test('a session up to a mark has neither the input of that instant nor what came later', () => {
  expect(until(log, 20_000)).toEqual({
    ...{ header: log.header, events: log.events.slice(0, 4), frames: log.frames },
    marks: [mark(10_000), mark(20_000)],
    end: { atMs: 20_000 },
  });
});
