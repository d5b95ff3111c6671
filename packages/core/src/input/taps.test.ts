import { describe, expect, test } from '@jest/globals';

import { keysym } from '../console/keysym.js';

import type { InputEvent, TimedInput } from './input-event.js';
import { tapsOf } from './taps.js';

const at = (atMs: number, sym: number, down: boolean, keycode?: number): TimedInput => ({
  atMs,
  event:
    keycode === undefined
      ? { kind: 'key', keysym: sym, down }
      : { kind: 'extended-key', keysym: sym, keycode, down },
});
const code = (character: string): number => character.charCodeAt(0);
const positions = (...events: TimedInput[]): number[] => [...tapsOf(events).keys()];

describe('taps in a log', () => {
  test('are presses whose release comes before any guest would repeat the key, also with others in between', () => {
    expect(
      positions(
        at(0, code('a'), true),
        at(60, code('b'), true),
        at(90, code('a'), false),
        at(150, code('b'), false),
        at(200, code('c'), true),
        at(900, code('c'), false),
      ),
    ).toEqual([0, 1]);
  });

  test('end with the release of the same key, whatever Shift makes of its keysym by then', () => {
    expect(
      positions(
        at(0, keysym.ShiftLeft, true),
        at(10, code('A'), true),
        at(20, keysym.ShiftLeft, false),
        at(50, code('a'), false),
      ),
    ).toEqual([1]);
    expect(positions(at(0, 0x6c6, true, 0x1e), at(50, 0x6e6, false, 0x1e))).toEqual([0]);
  });

  test('are never modifiers, keys without a release, or what a viewer itself repeats', () => {
    expect(
      positions(
        at(0, keysym.ControlLeft, true),
        at(50, keysym.ControlLeft, false),
        at(60, code('x'), true),
        at(90, code('x'), true),
        at(120, code('x'), false),
        at(200, code('y'), true),
      ),
    ).toEqual([]);
  });

  test('are not disturbed by pointer and clipboard', () => {
    const pointer: InputEvent = { kind: 'pointer', x: 1, y: 2, buttons: 1 };
    expect(
      positions(at(0, code('a'), true), { atMs: 5, event: pointer }, at(9, code('a'), false)),
    ).toEqual([0]);
  });
});
