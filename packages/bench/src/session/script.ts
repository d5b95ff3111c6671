import type { KeyName } from '@reprise/core';

/** A letter of a shortcut, such as Control-S. */
// prettier-ignore
export type Letter =
  | 'a' | 'b' | 'c' | 'd' | 'e' | 'f' | 'g' | 'h' | 'i' | 'j' | 'k' | 'l' | 'm'
  | 'n' | 'o' | 'p' | 'q' | 'r' | 's' | 't' | 'u' | 'v' | 'w' | 'x' | 'y' | 'z';

/** One thing that a scripted user does. */
export type Step =
  /** Types characters of a US keyboard. */
  | { readonly kind: 'type'; readonly text: string }
  /** Presses one key, with modifiers held around it. */
  | { readonly kind: 'key'; readonly key: KeyName | Letter; readonly with?: readonly KeyName[] }
  /** Moves the pointer there and presses the first button. */
  | { readonly kind: 'click'; readonly x: number; readonly y: number; readonly times?: number }
  /** Presses the first button at the first place, moves along the places, and lets go at the last. */
  | { readonly kind: 'drag'; readonly along: readonly (readonly [x: number, y: number])[] }
  /** Reads, thinks, waits for the machine: about this long. */
  | { readonly kind: 'think'; readonly seconds: number }
  /** Waits until the screen has been still, as a person waits for a command; then goes on. */
  | { readonly kind: 'settle'; readonly stillSeconds: number; readonly atMostSeconds: number };

export interface Session {
  readonly name: string;
  readonly guest: 'tiny' | 'desktop';
  /** What a person would call it. */
  readonly title: string;
  readonly seed: number;
  readonly steps: readonly Step[];
}

export const type = (text: string): Step => ({ kind: 'type', text });
export const line = (text: string): readonly Step[] => [type(text), key('Return')];
export const key = (name: KeyName | Letter, ...modifiers: readonly KeyName[]): Step => ({
  kind: 'key',
  key: name,
  with: modifiers,
});
export const click = (x: number, y: number, times = 1): Step => ({ kind: 'click', x, y, times });
export const drag = (...along: readonly (readonly [number, number])[]): Step => ({
  kind: 'drag',
  along,
});
export const think = (seconds: number): Step => ({ kind: 'think', seconds });
export const settle = (atMostSeconds = 30, stillSeconds = 1.2): Step => ({
  kind: 'settle',
  stillSeconds,
  atMostSeconds,
});

/** The same keystroke several times. */
export function repeat(times: number, step: Step): readonly Step[] {
  return Array.from({ length: times }, () => step);
}
