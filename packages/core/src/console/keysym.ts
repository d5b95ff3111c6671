/** X11 keysyms by name, and what they mean to a recorder and a typist. */
export const keysym = {
  BackSpace: 0xff08,
  Tab: 0xff09,
  Return: 0xff0d,
  Escape: 0xff1b,
  Home: 0xff50,
  Left: 0xff51,
  Up: 0xff52,
  Right: 0xff53,
  Down: 0xff54,
  PageUp: 0xff55,
  PageDown: 0xff56,
  End: 0xff57,
  Insert: 0xff63,
  NumLock: 0xff7f,
  KeypadEnter: 0xff8d,
  F1: 0xffbe,
  F2: 0xffbf,
  F3: 0xffc0,
  F4: 0xffc1,
  F5: 0xffc2,
  F6: 0xffc3,
  F7: 0xffc4,
  F8: 0xffc5,
  F9: 0xffc6,
  F10: 0xffc7,
  F11: 0xffc8,
  F12: 0xffc9,
  ShiftLeft: 0xffe1,
  ShiftRight: 0xffe2,
  ControlLeft: 0xffe3,
  ControlRight: 0xffe4,
  CapsLock: 0xffe5,
  AltLeft: 0xffe9,
  AltRight: 0xffea,
  SuperLeft: 0xffeb,
  SuperRight: 0xffec,
  Delete: 0xffff,
} as const;

export type KeyName = keyof typeof keysym;

const UNICODE_KEYSYMS = 0x01000000;
const FIRST_MODIFIER = 0xffe1;
const LAST_MODIFIER = 0xffee;
const LEVEL3_SHIFT = 0xfe03;

/** Shift, Control, Lock, Meta, Alt, Super, Hyper, AltGr: holding one does not repeat. */
export function isModifier(sym: number): boolean {
  return (sym >= FIRST_MODIFIER && sym <= LAST_MODIFIER) || sym === LEVEL3_SHIFT;
}

/** Return and keypad Enter: what sends a line, a form, a command. */
export function isEnter(sym: number): boolean {
  return sym === keysym.Return || sym === keysym.KeypadEnter;
}

/** What programs tell from the start of a key sequence by waiting. */
export function isEscape(sym: number): boolean {
  return sym === keysym.Escape;
}

/** What a sign types, as opposed to a function, in any alphabet: Latin, the older sets of X, Unicode. */
export function isCharacter(sym: number): boolean {
  return (
    (sym >= 0x20 && sym < 0xfd00) || (sym > UNICODE_KEYSYMS && sym <= UNICODE_KEYSYMS + 0x10ffff)
  );
}

const SHIFTED_ON_US_KEYBOARD = '~!@#$%^&*()_+{}|:"<>?';

const controlCharacters: ReadonlyMap<string, number> = new Map([
  ['\n', keysym.Return],
  ['\r', keysym.Return],
  ['\t', keysym.Tab],
  ['\b', keysym.BackSpace],
  ['\u001b', keysym.Escape],
]);

export interface Keystroke {
  readonly keysym: number;
  /** A person would hold Shift for it on a US keyboard. */
  readonly shift: boolean;
}

/** How to type one character. */
export function keystroke(character: string): Keystroke {
  const control = controlCharacters.get(character);
  if (control !== undefined) return { keysym: control, shift: false };
  const point = character.codePointAt(0) ?? 0;
  const latin1 = (point >= 0x20 && point <= 0x7e) || (point >= 0xa0 && point <= 0xff);
  const shift = /^[A-Z]$/.test(character) || SHIFTED_ON_US_KEYBOARD.includes(character);
  return { keysym: latin1 ? point : UNICODE_KEYSYMS + point, shift };
}
