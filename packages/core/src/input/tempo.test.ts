import { describe, expect, test } from '@jest/globals';

import { keysym } from '../console/keysym.js';

import type { InputEvent } from './input-event.js';
import { Tempo } from './tempo.js';

const key = (sym: number, down = true): InputEvent => ({ kind: 'key', keysym: sym, down });
const pointer = (buttons: number): InputEvent => ({ kind: 'pointer', x: 1, y: 1, buttons });

/** For each event, whether the gap before it matters. */
function gaps(...events: InputEvent[]): boolean[] {
  const tempo = new Tempo(0);
  return events.map((event) => {
    const matters = tempo.matters(event);
    tempo.passed(event);
    return matters;
  });
}

describe('gaps that a guest reads', () => {
  test('two clicks keep their distance: they must neither become a double click nor stop being one', () => {
    expect(gaps(pointer(1), pointer(0), pointer(1), pointer(0))).toEqual([
      ...[false, false, true, false],
    ]);
  });

  test('typing in between ends that', () => {
    expect(gaps(pointer(1), pointer(0), key(0x61), pointer(1))[3]).toBe(false);
  });

  test('what follows Escape waits: it would look like a key sequence', () => {
    const escape = keysym.Escape;
    expect(gaps(key(escape), key(escape, false), key(0x3a), key(0x77))).toEqual([
      ...[false, false, true, false],
    ]);
  });
});
