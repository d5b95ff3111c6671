import type { InputEvent } from '../input/input-event.js';

/**
 * Another way to the guest than its display: for a guest in virtual time, whose input has to go in at an
 * instant that a replay can find again.
 */
export interface InputInjector {
  /** What the guest gets for a viewer's event, and what is recorded; undefined: it cannot have it. */
  translate(
    event: InputEvent,
    screen: { readonly width: number; readonly height: number },
  ): InputEvent | undefined;
  /** Settles when the guest has a translated event, with the session's time in ms at which that was. */
  inject(event: InputEvent): Promise<number>;
}
