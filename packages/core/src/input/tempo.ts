import { isEscape } from '../console/keysym.js';

import type { InputEvent } from './input-event.js';

/**
 * Whether the gap between two inputs may mean something to the guest, so that it is kept however idle the guest is:
 * two clicks that must not become a double click (or stop being one), and what follows Escape, which programs
 * tell from a key sequence by waiting.
 */
export class Tempo {
  #buttons: number;
  #afterClick = false;
  #afterEscape = false;

  /** `buttons`: those that are pressed at the start. */
  constructor(buttons: number) {
    this.#buttons = buttons;
  }

  /** For the gap before `event`. */
  matters(event: InputEvent | undefined): boolean {
    if (event === undefined) return false;
    if (event.kind === 'pointer') return this.#afterClick && this.#presses(event.buttons);
    return (
      this.#afterEscape && (event.kind === 'key' || event.kind === 'extended-key') && event.down
    );
  }

  /** `event` went in. */
  passed(event: InputEvent): void {
    if (event.kind === 'pointer') {
      this.#afterClick ||= this.#presses(event.buttons);
      this.#buttons = event.buttons;
      this.#afterEscape = false;
    } else if (event.kind === 'key' || event.kind === 'extended-key') {
      if (!event.down) return;
      this.#afterClick = false;
      this.#afterEscape = isEscape(event.keysym);
    }
  }

  #presses(buttons: number): boolean {
    return (buttons & ~this.#buttons) !== 0;
  }
}
