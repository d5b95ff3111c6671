import { ByteWriter } from './byte-buffer.js';
import type {
  Anchor,
  ExtendedKeyInput,
  InputEvent,
  InputLog,
  InputLogHeader,
  KeyInput,
  PointerInput,
  SessionEnd,
  SessionMark,
  TileRect,
  TimedInput,
} from './input-event.js';
import { inputLimits, TICK_MS } from './input-event.js';
import { recordsOf } from './log-records.js';
import {
  isLatin,
  type KeySymbol,
  op,
  RecordState,
  SHORT_KEYS,
  symbolOf,
  toTicks,
} from './record-state.js';

/** Version 2 is version 1 with a virtual clock, version 3 has marks as well; a log is written as the oldest that holds it. */
const LOG_VERSION = 1;
const VIRTUAL_LOG_VERSION = 2;
const MARKED_LOG_VERSION = 3;
const NS_PER_SECOND = 1_000_000_000n;
const U16 = 0xffff;

/** The log header's bytes. */
export function encodeLogHeader(header: InputLogHeader): Buffer {
  const out = new ByteWriter();
  const { virtual } = header;
  out.u8(versionOf(header));
  out.u8(TICK_MS);
  out.var(header.width);
  out.var(header.height);
  out.u8((header.pointer === undefined ? 0 : 1) | (virtual === undefined ? 0 : 2));
  if (header.pointer !== undefined) {
    out.var(header.pointer.x);
    out.var(header.pointer.y);
  }
  if (virtual !== undefined) {
    out.var(Number(virtual.startNs / NS_PER_SECOND));
    out.var(Number(virtual.startNs % NS_PER_SECOND));
    if (virtual.markEveryMs !== undefined) out.var(toTicks(virtual.markEveryMs));
  }
  out.u8(header.buttons);
  out.var(header.held.length);
  for (const key of header.held) writeSymbol(out, symbolOf(key));
  return out.drain();
}

function versionOf({ virtual }: InputLogHeader): number {
  if (virtual === undefined) return LOG_VERSION;
  return virtual.markEveryMs === undefined ? VIRTUAL_LOG_VERSION : MARKED_LOG_VERSION;
}

function writeSymbol(out: ByteWriter, symbol: KeySymbol): void {
  out.u8(symbol.kind);
  out.var(symbol.keysym);
  if (symbol.kind === 1) out.var(symbol.keycode);
}

/** Turns inputs into the record stream. Layout: docs/formats/input-log.md. */
export class RecordWriter {
  readonly #out = new ByteWriter();
  readonly #state: RecordState;
  readonly #markEveryMs: number | undefined;

  constructor(header: InputLogHeader) {
    this.#state = new RecordState(header);
    this.#markEveryMs = header.virtual?.markEveryMs;
  }

  get length(): number {
    return this.#out.length;
  }

  input({ atMs, event, anchor }: TimedInput): void {
    if (anchor !== undefined) this.#anchor(anchor);
    this.#event(event, this.#gap(atMs));
  }

  /** Only in a log in virtual time, as the next. */
  frame(atMs: number, bytes: Uint8Array): void {
    this.#op(op.frame, this.#gap(atMs));
    this.#out.var(bytes.length);
    this.#out.bytes(bytes);
  }

  /** From here on frames are missing; at most once. */
  framesMissing(atMs: number): void {
    this.#op(op.framesMissing, this.#gap(atMs));
  }

  /** Only in a log with `markEveryMs`. It carries its own time, so that it may come a little late. */
  mark(mark: SessionMark): void {
    const state = this.#state;
    if (this.#markEveryMs === undefined) throw new Error('a log without an interval has no marks');
    const number = Math.round(mark.atMs / this.#markEveryMs);
    if (number <= state.markNumber) throw new Error('marks only go forward in time');
    this.#op(op.mark, number - state.markNumber);
    const { markInstructions } = inputLimits;
    const executed = mark.instructions - state.mark.instructions + markInstructions;
    this.#out.var(executed % markInstructions);
    this.#out.var(mark.diskRequests - state.mark.diskRequests);
    this.#out.var((mark.framesReceived - state.mark.framesReceived) & U16);
    this.#out.var((mark.framesSent - state.mark.framesSent) & U16);
    const digests = Buffer.alloc(12);
    digests.writeUInt32LE(mark.disk, 0);
    digests.writeUInt32LE(mark.input, 4);
    digests.writeUInt32LE(mark.memory, 8);
    this.#out.bytes(digests);
    state.markNumber = number;
    state.mark = mark;
  }

  /** Everything that a log holds but its header. */
  all(log: InputLog): void {
    for (const record of recordsOf(log)) {
      if (record.kind === 'input') this.input(record.input);
      else if (record.kind === 'frame') this.frame(record.frame.atMs, record.frame.bytes);
      else if (record.kind === 'mark') this.mark(record.mark);
      else this.framesMissing(record.atMs);
    }
    if (log.end !== undefined) this.end(log.end);
  }

  end({ atMs, anchor }: SessionEnd): void {
    if (anchor !== undefined) this.#anchor(anchor);
    this.#op(op.end, this.#gap(atMs));
  }

  /** The bytes since the last call; the stream goes on. */
  drain(): Buffer {
    return this.#out.drain();
  }

  /** A clock that stepped back counts as standing still. */
  #gap(atMs: number): number {
    const ticks = Math.max(toTicks(atMs), this.#state.ticks);
    const gap = ticks - this.#state.ticks;
    this.#state.ticks = ticks;
    return gap;
  }

  #op(code: number, gap: number): void {
    this.#out.u8(code);
    this.#out.var(gap);
  }

  #event(event: InputEvent, gap: number): void {
    switch (event.kind) {
      case 'key':
      case 'extended-key':
        if (event.down) this.#press(keySymbol(event), gap);
        else this.#release(keySymbol(event), gap);
        return;
      case 'pointer':
        this.#pointer(event, gap);
        return;
      case 'clipboard':
        this.#op(op.clipboard, gap);
        this.#out.u8(event.extended ? 1 : 0);
        this.#out.var(event.data.length);
        this.#out.bytes(event.data);
        return;
      case 'resize':
        this.#op(op.resize, gap);
        this.#out.var(event.width);
        this.#out.var(event.height);
        this.#out.var(event.screens.length);
        for (const { id, x, y, width, height, flags } of event.screens) {
          for (const value of [id, x, y, width, height, flags]) this.#out.var(value);
        }
    }
  }

  #press(symbol: KeySymbol, gap: number): void {
    const known = this.#state.known(symbol);
    if (isLatin(symbol)) {
      this.#op(symbol.keysym, gap);
    } else if (known !== undefined && known < SHORT_KEYS) {
      this.#op(op.firstKnown + known, gap);
    } else if (known !== undefined) {
      this.#op(op.pressKnown, gap);
      this.#out.var(known);
    } else {
      this.#op(symbol.kind === 0 ? op.pressNew : op.pressNewExtended, gap);
      this.#out.var(symbol.keysym);
      if (symbol.kind === 1) this.#out.var(symbol.keycode);
      this.#state.learn(symbol);
    }
    this.#state.press(symbol);
  }

  #release(symbol: KeySymbol, gap: number): void {
    const position = this.#state.heldAt(symbol);
    if (position === -1) {
      this.#op(op.releaseOther, gap);
      writeSymbol(this.#out, symbol);
    } else if (position < 2) {
      this.#op(position === 0 ? op.releaseOldest : op.releaseSecond, gap);
    } else {
      this.#op(op.releaseHeld, gap);
      this.#out.var(position);
    }
    if (position !== -1) this.#state.release(position);
  }

  #pointer({ x, y, buttons }: PointerInput, gap: number): void {
    const state = this.#state;
    const moved = x !== state.x || y !== state.y;
    const pressed = buttons !== state.buttons;
    this.#op(pressed ? (moved ? op.pointerBoth : op.pointerButtons) : op.pointerMove, gap);
    if (moved || !pressed) {
      this.#out.zig(x - state.x);
      this.#out.zig(y - state.y);
    }
    if (pressed) this.#out.u8(buttons);
    state.x = x;
    state.y = y;
    state.buttons = buttons;
  }

  #anchor(anchor: Anchor): void {
    const state = this.#state;
    const resized = anchor.width !== state.width || anchor.height !== state.height;
    const remasked = !sameMask(anchor.mask, state.mask);
    this.#out.u8(op.anchor);
    this.#out.u8((resized ? 1 : 0) | (remasked ? 2 : 0));
    if (resized) {
      this.#out.var(anchor.width);
      this.#out.var(anchor.height);
    }
    if (remasked) {
      this.#out.var(anchor.mask.length);
      for (const { x, y, width, height } of anchor.mask)
        for (const value of [x, y, width, height]) this.#out.var(value);
    }
    const cpuTicks = toTicks(anchor.cpuMs);
    this.#out.zig(cpuTicks - state.cpuTicks);
    this.#out.bytes(Buffer.from(anchor.digest, 'hex'));
    state.width = anchor.width;
    state.height = anchor.height;
    state.mask = anchor.mask;
    state.cpuTicks = cpuTicks;
  }
}

function keySymbol(event: KeyInput | ExtendedKeyInput): KeySymbol {
  return event.kind === 'key'
    ? { kind: 0, keysym: event.keysym, keycode: 0 }
    : { kind: 1, keysym: event.keysym, keycode: event.keycode };
}

function sameMask(a: Anchor['mask'], b: Anchor['mask']): boolean {
  return a.length === b.length && a.every((rect, i) => sameRect(rect, b[i]));
}

function sameRect(a: TileRect, b: TileRect | undefined): boolean {
  return a.x === b?.x && a.y === b.y && a.width === b.width && a.height === b.height;
}
