import type { ExtendedKeyInput, HeldKey, KeyInput } from '../input/input-event.js';

type KeyEvent = KeyInput | ExtendedKeyInput;

/**
 * The keys that were pressed and not released, oldest first. An extended key is known by its keycode: the keysym
 * of its release may differ, when Shift went up in between.
 */
export class HeldKeys {
  readonly #held = new Map<string, HeldKey>();

  constructor(held: readonly HeldKey[] = []) {
    for (const key of held) this.#held.set(identity(key), key);
  }

  get size(): number {
    return this.#held.size;
  }

  has(key: HeldKey): boolean {
    return this.#held.has(identity(key));
  }

  apply(event: KeyEvent): void {
    const key = heldKey(event);
    if (!event.down) this.#held.delete(identity(key));
    else if (!this.has(key)) this.#held.set(identity(key), key);
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

function identity(key: HeldKey): string {
  return key.keycode === undefined ? `s${key.keysym}` : `c${key.keycode}`;
}
