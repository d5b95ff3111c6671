import type { ExtendedKeyInput, HeldKey, KeyInput } from '../input/input-event.js';
import { keyNumber } from './key-number.js';

type KeyEvent = KeyInput | ExtendedKeyInput;

/**
 * The keys that were pressed and not released, oldest first. A key is known by its place on the keyboard: the
 * keysym of its release may differ, when Shift went up in between.
 */
export class HeldKeys {
  readonly #held = new Map<string, HeldKey>();

  constructor(held: readonly HeldKey[] = []) {
    for (const key of held) this.#held.set(keyIdentity(key), key);
  }

  get size(): number {
    return this.#held.size;
  }

  has(key: HeldKey): boolean {
    return this.#held.has(keyIdentity(key));
  }

  apply(event: KeyEvent): void {
    const key = heldKey(event);
    if (!event.down) this.#held.delete(keyIdentity(key));
    else if (!this.has(key)) this.#held.set(keyIdentity(key), key);
  }

  keys(): HeldKey[] {
    return [...this.#held.values()];
  }
}

export function heldKey(event: KeyEvent): HeldKey {
  return event.kind === 'key'
    ? { keysym: event.keysym }
    : { keysym: event.keysym, keycode: event.keycode };
}

export function releaseOf(key: HeldKey): KeyEvent {
  return key.keycode === undefined
    ? { kind: 'key', down: false, keysym: key.keysym }
    : { kind: 'extended-key', down: false, keysym: key.keysym, keycode: key.keycode };
}

/** The same for two events exactly where the display means the same key by them. */
export function keyIdentity({ keysym, keycode = 0 }: HeldKey): string {
  // A viewer that does not know the place of a key says 0, and the display goes by the keysym.
  const number = keycode === 0 ? keyNumber(keysym) : keycode;
  return number === undefined ? `s${String(keysym)}` : `k${String(number)}`;
}
