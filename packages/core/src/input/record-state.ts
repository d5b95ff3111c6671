import type { Anchor, HeldKey, InputLogHeader, SessionMark } from './input-event.js';
import { inputLimits, TICK_MS } from './input-event.js';

/** A key of the record stream: `kind` 0 plain, 1 extended. */
export interface KeySymbol {
  readonly kind: 0 | 1;
  readonly keysym: number;
  readonly keycode: number;
}

/** Op bytes of the record stream. 0x20-0x7e press that Latin key; from 0x80 on, a key of the dictionary. */
export const op = {
  releaseOldest: 0x01,
  releaseSecond: 0x02,
  releaseHeld: 0x03,
  releaseOther: 0x04,
  pressNew: 0x05,
  pressNewExtended: 0x06,
  pressKnown: 0x07,
  pointerMove: 0x08,
  pointerButtons: 0x09,
  pointerBoth: 0x0a,
  clipboard: 0x0b,
  resize: 0x0c,
  anchor: 0x0d,
  end: 0x0e,
  frame: 0x0f,
  framesMissing: 0x10,
  mark: 0x11,
  firstLatin: 0x20,
  lastLatin: 0x7e,
  firstKnown: 0x80,
} as const;

/** Known keys with an op byte of their own. */
export const SHORT_KEYS = 0x80;

export function isLatin(symbol: KeySymbol): boolean {
  return symbol.kind === 0 && symbol.keysym >= op.firstLatin && symbol.keysym <= op.lastLatin;
}

/** What writer and reader both know after each record: deltas refer to it. */
export class RecordState {
  ticks = 0;
  x: number;
  y: number;
  buttons: number;
  width: number;
  height: number;
  cpuTicks = 0;
  mask: Anchor['mask'] = [];
  /** The number of the last mark, and what it said: the first is 1. */
  markNumber = 0;
  mark: Pick<SessionMark, 'instructions' | 'diskRequests' | 'framesReceived' | 'framesSent'> = {
    ...{ instructions: 0, diskRequests: 0, framesReceived: 0, framesSent: 0 },
  };
  readonly dictionary: KeySymbol[] = [];
  readonly #index = new Map<string, number>();
  readonly #held: KeySymbol[];

  constructor(header: InputLogHeader) {
    this.x = header.pointer?.x ?? 0;
    this.y = header.pointer?.y ?? 0;
    this.buttons = header.buttons;
    this.width = header.width;
    this.height = header.height;
    this.#held = header.held.map(symbolOf);
  }

  /** Position of a key in the held list, or -1. */
  heldAt(symbol: KeySymbol): number {
    return this.#held.findIndex((held) => sameSymbol(held, symbol));
  }

  press(symbol: KeySymbol): void {
    if (this.heldAt(symbol) !== -1) return;
    if (this.#held.length === inputLimits.heldKeys) this.#held.shift();
    this.#held.push(symbol);
  }

  /** Removes and returns the key at a position of the held list; undefined: nothing is held there. */
  release(position: number): KeySymbol | undefined {
    return this.#held.splice(position, 1)[0];
  }

  known(symbol: KeySymbol): number | undefined {
    return this.#index.get(identity(symbol));
  }

  /** A full dictionary takes no more; the key is spelled out each time. */
  learn(symbol: KeySymbol): void {
    if (this.dictionary.length === inputLimits.dictionary || this.known(symbol) !== undefined)
      return;
    this.#index.set(identity(symbol), this.dictionary.length);
    this.dictionary.push(symbol);
  }
}

export function symbolOf(key: HeldKey): KeySymbol {
  return key.keycode === undefined
    ? { kind: 0, keysym: key.keysym, keycode: 0 }
    : { kind: 1, keysym: key.keysym, keycode: key.keycode };
}

export function toTicks(ms: number): number {
  return Math.round(ms / TICK_MS);
}

function sameSymbol(a: KeySymbol, b: KeySymbol): boolean {
  return a.kind === b.kind && a.keysym === b.keysym && a.keycode === b.keycode;
}

function identity(symbol: KeySymbol): string {
  return `${symbol.kind}:${symbol.keysym}:${symbol.keycode}`;
}
