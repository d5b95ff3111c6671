import { keysym } from './keysym.js';

/**
 * Keysyms to QEMU's key numbers on a US keyboard, which is the layout that QEMU assumes too. A number is
 * the key's code in XT set 1; keys with a prefix have bit 7 set.
 */

const EXTENDED = 0x80;

/** Each row from its first code on: what the keys send alone, and with Shift. */
const rows: readonly (readonly [first: number, plain: string, shifted: string])[] = [
  [0x02, '1234567890-=', '!@#$%^&*()_+'],
  [0x10, 'qwertyuiop[]', 'QWERTYUIOP{}'],
  [0x1e, "asdfghjkl;'`", 'ASDFGHJKL:"~'],
  [0x2b, '\\zxcvbnm,./', '|ZXCVBNM<>?'],
  [0x39, ' ', ' '],
];

const named: readonly (readonly [keysym: number, number: number])[] = [
  [keysym.Escape, 0x01],
  [keysym.BackSpace, 0x0e],
  [keysym.Tab, 0x0f],
  [0xfe20, 0x0f], // ISO_Left_Tab: what Shift-Tab is to X
  [keysym.Return, 0x1c],
  [keysym.ControlLeft, 0x1d],
  [keysym.ShiftLeft, 0x2a],
  [keysym.ShiftRight, 0x36],
  [keysym.AltLeft, 0x38],
  [keysym.CapsLock, 0x3a],
  [keysym.F1, 0x3b],
  [keysym.F2, 0x3c],
  [keysym.F3, 0x3d],
  [keysym.F4, 0x3e],
  [keysym.F5, 0x3f],
  [keysym.F6, 0x40],
  [keysym.F7, 0x41],
  [keysym.F8, 0x42],
  [keysym.F9, 0x43],
  [keysym.F10, 0x44],
  [keysym.NumLock, 0x45],
  [0xff14, 0x46], // Scroll_Lock
  [keysym.F11, 0x57],
  [keysym.F12, 0x58],
  [keysym.KeypadEnter, EXTENDED | 0x1c],
  [keysym.ControlRight, EXTENDED | 0x1d],
  [0xff61, EXTENDED | 0x37], // Print
  [keysym.AltRight, EXTENDED | 0x38],
  [0xfe03, EXTENDED | 0x38], // ISO_Level3_Shift
  [0xff7e, EXTENDED | 0x38], // Mode_switch
  [keysym.Home, EXTENDED | 0x47],
  [keysym.Up, EXTENDED | 0x48],
  [keysym.PageUp, EXTENDED | 0x49],
  [keysym.Left, EXTENDED | 0x4b],
  [keysym.Right, EXTENDED | 0x4d],
  [keysym.End, EXTENDED | 0x4f],
  [keysym.Down, EXTENDED | 0x50],
  [keysym.PageDown, EXTENDED | 0x51],
  [keysym.Insert, EXTENDED | 0x52],
  [keysym.Delete, EXTENDED | 0x53],
  [keysym.SuperLeft, EXTENDED | 0x5b],
  [keysym.SuperRight, EXTENDED | 0x5c],
  [0xff67, EXTENDED | 0x5d], // Menu
  // The keypad: digits and what its keys are without NumLock.
  [0xffaa, 0x37], // KP_Multiply
  [0xffad, 0x4a], // KP_Subtract
  [0xffab, 0x4e], // KP_Add
  [0xffaf, EXTENDED | 0x35], // KP_Divide
  [0xffae, 0x53], // KP_Decimal
  [0xff9f, 0x53], // KP_Delete
  [0xffb0, 0x52], // KP_0
  [0xff9e, 0x52], // KP_Insert
  [0xffb1, 0x4f], // KP_1
  [0xff9c, 0x4f], // KP_End
  [0xffb2, 0x50], // KP_2
  [0xff99, 0x50], // KP_Down
  [0xffb3, 0x51], // KP_3
  [0xff9b, 0x51], // KP_Page_Down
  [0xffb4, 0x4b], // KP_4
  [0xff96, 0x4b], // KP_Left
  [0xffb5, 0x4c], // KP_5
  [0xff9d, 0x4c], // KP_Begin
  [0xffb6, 0x4d], // KP_6
  [0xff98, 0x4d], // KP_Right
  [0xffb7, 0x47], // KP_7
  [0xff95, 0x47], // KP_Home
  [0xffb8, 0x48], // KP_8
  [0xff97, 0x48], // KP_Up
  [0xffb9, 0x49], // KP_9
  [0xff9a, 0x49], // KP_Page_Up
];

const numbers = new Map<number, number>(named);
for (const [first, plain, shifted] of rows) {
  for (const characters of [plain, shifted]) {
    for (let i = 0; i < characters.length; i++) {
      numbers.set(characters.charCodeAt(i), first + i);
    }
  }
}

/** QEMU's number of the key that sends this keysym; undefined where a US keyboard has none. */
export function keyNumber(sym: number): number | undefined {
  return numbers.get(sym);
}
