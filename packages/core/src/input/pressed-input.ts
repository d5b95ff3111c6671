import { HeldKeys, heldKey, releaseOf } from '../console/held-keys.js';
import { isModifier } from '../console/keysym.js';

import type { HeldKey, InputEvent, InputLog } from './input-event.js';
import { tapsOf } from './taps.js';

/**
 * What a replay holds pressed in the guest. That is not always what the log says: a key that was tapped goes in with its
 * release, and one that a wait would make repeat is released before.
 */
export class PressedInput {
  readonly #send: (...events: InputEvent[]) => void;
  readonly #taps: ReadonlyMap<number, HeldKey>;
  readonly #held: HeldKeys;
  /** Keys that the log still holds, and the guest does not. */
  readonly #releasedEarly = new HeldKeys();
  #buttons: number;
  #pointer: { readonly x: number; readonly y: number };

  /** @param send puts events into the guest, those of one call in one piece */
  constructor({ header, events }: InputLog, send: (...events: InputEvent[]) => void) {
    this.#send = send;
    this.#taps = tapsOf(events);
    this.#held = new HeldKeys(header.held);
    this.#buttons = header.buttons;
    this.#pointer = header.pointer ?? { x: 0, y: 0 };
  }

  /** A key that would repeat, or a button. */
  get isHolding(): boolean {
    return this.#buttons !== 0 || this.#repeating().length > 0;
  }

  /** The release of a key that went up already: there is nothing to put in. */
  isReleased(event: InputEvent): boolean {
    if (event.kind !== 'key' && event.kind !== 'extended-key') return false;
    return !event.down && this.#releasedEarly.has(heldKey(event));
  }

  /** Puts in the event at `index` of the log. False: the guest has it already. */
  put(index: number, event: InputEvent): boolean {
    if (event.kind === 'key' || event.kind === 'extended-key') {
      const isReleased = this.isReleased(event);
      this.#releasedEarly.apply({ ...event, down: false });
      if (isReleased) return false;
      this.#held.apply(event);
    } else if (event.kind === 'pointer') {
      this.#buttons = event.buttons;
      this.#pointer = { x: event.x, y: event.y };
    }
    const tapped = this.#taps.get(index);
    if (tapped === undefined) this.#send(event);
    else this.#release(tapped, event);
    return true;
  }

  /** Before a wait that is longer than recorded. */
  releaseRepeating(): void {
    for (const key of this.#repeating()) this.#release(key);
  }

  releaseEverything(): void {
    for (const key of this.#held.keys().reverse()) this.#send(releaseOf(key));
    if (this.#buttons !== 0) this.#send({ kind: 'pointer', ...this.#pointer, buttons: 0 });
  }

  /** Ahead of its recorded release; in one piece with `press`, so that the guest never sees the key held. */
  #release(key: HeldKey, ...press: readonly InputEvent[]): void {
    const release = releaseOf(key);
    this.#send(...press, release);
    this.#held.apply(release);
    this.#releasedEarly.apply({ ...release, down: true });
  }

  #repeating(): HeldKey[] {
    return this.#held.keys().filter((key) => !isModifier(key.keysym));
  }
}
