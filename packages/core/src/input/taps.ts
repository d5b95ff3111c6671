import { heldKey, keyIdentity } from '../console/held-keys.js';
import { isModifier } from '../console/keysym.js';

import type { HeldKey, TimedInput } from './input-event.js';

/** A press up to this long is a tap: no guest repeats a key before it. */
export const TAP_MS = 200;

interface Press {
  readonly index: number;
  readonly atMs: number;
  readonly key: HeldKey;
}

/**
 * The presses of a log that were taps, by position, and the key of each. Modifiers are none: what matters of
 * them is what happens while they are down.
 */
export function tapsOf(events: readonly TimedInput[]): ReadonlyMap<number, HeldKey> {
  const taps = new Map<number, HeldKey>();
  const down = new Map<string, Press>();
  for (const [index, { atMs, event }] of events.entries()) {
    if (event.kind !== 'key' && event.kind !== 'extended-key') continue;
    const key = heldKey(event);
    const identity = keyIdentity(key);
    const press = down.get(identity);
    if (event.down) {
      // What a viewer's own key repeat presses again was held, however short.
      const at = press === undefined ? { index, atMs, key } : { ...press, atMs: -Infinity };
      down.set(identity, at);
      continue;
    }
    down.delete(identity);
    if (press !== undefined && !isModifier(press.key.keysym) && atMs - press.atMs <= TAP_MS)
      taps.set(press.index, press.key);
  }
  return taps;
}
