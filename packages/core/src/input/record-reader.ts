import { ByteCursor } from './byte-buffer.js';
import type {
  Anchor,
  HeldKey,
  InputEvent,
  InputLog,
  InputLogHeader,
  ScreenLayout,
  SessionEnd,
  SessionMark,
  TileRect,
  TimedFrame,
  TimedInput,
} from './input-event.js';
import { inputLimits, TICK_MS, TILE } from './input-event.js';
import { type KeySymbol, op, RecordState } from './record-state.js';

const U16 = 0xffff;
const U32 = 0xffff_ffff;
const DIGEST_BYTES = 8;
const NS_PER_SECOND = 1_000_000_000;
/** What the clock of a guest holds in nanoseconds: 292 years. */
const MOST_CLOCK_SECONDS = 9_223_372_035;

/** Reads the log header; what follows in the cursor is the record stream. */
export function decodeLogHeader(cursor: ByteCursor): InputLogHeader {
  const version = cursor.u8();
  if (version < 1 || version > 3)
    throw cursor.fault(`has version ${version}, which this reprise does not know,`);
  if (cursor.u8() !== TICK_MS) throw cursor.fault('has ticks of an unknown length');
  const width = cursor.var(inputLimits.side);
  const height = cursor.var(inputLimits.side);
  const flags = cursor.u8();
  if (flags > 3 || flags >> 1 !== (version === 1 ? 0 : 1)) throw cursor.fault('has unknown flags');
  const pointer = (flags & 1) === 1 ? { x: cursor.var(U16), y: cursor.var(U16) } : undefined;
  const virtual =
    version === 1
      ? undefined
      : {
          startNs: readNanoseconds(cursor),
          ...(version === 3 ? { markEveryMs: readMarkInterval(cursor) } : {}),
        };
  const buttons = cursor.u8();
  const held: HeldKey[] = [];
  for (let left = cursor.var(inputLimits.heldKeys); left > 0; left--) {
    const { kind, keysym, keycode } = readSymbol(cursor);
    held.push(kind === 0 ? { keysym } : { keysym, keycode });
  }
  return {
    ...{ width, height, buttons, held },
    ...(pointer === undefined ? {} : { pointer }),
    ...(virtual === undefined ? {} : { virtual }),
  };
}

/** Seconds, then the nanoseconds of a second. */
function readNanoseconds(cursor: ByteCursor): bigint {
  const seconds = cursor.var(MOST_CLOCK_SECONDS);
  return BigInt(seconds) * BigInt(NS_PER_SECOND) + BigInt(cursor.var(NS_PER_SECOND - 1));
}

function readMarkInterval(cursor: ByteCursor): number {
  const ticks = cursor.var(inputLimits.markEveryMs / TICK_MS);
  if (ticks === 0) throw cursor.fault('has marks without an interval');
  return ticks * TICK_MS;
}

function readSymbol(cursor: ByteCursor): KeySymbol {
  const kind = cursor.u8();
  if (kind !== 0 && kind !== 1) throw cursor.fault('holds a key of unknown kind');
  const keysym = cursor.var(U32);
  return { kind, keysym, keycode: kind === 1 ? cursor.var(U32) : 0 };
}

/** Reads header and records up to the end of the bytes. The inverse of RecordWriter; bytes may be hostile. */
export function decodeLog(bytes: Uint8Array): InputLog {
  const cursor = new ByteCursor(bytes);
  const header = decodeLogHeader(cursor);
  return new RecordReader(cursor, header).read();
}

class RecordReader {
  readonly #cursor: ByteCursor;
  readonly #header: InputLogHeader;
  readonly #state: RecordState;
  readonly #events: TimedInput[] = [];
  readonly #frames: TimedFrame[] = [];
  readonly #marks: SessionMark[] = [];
  #framesMissingFromMs: number | undefined;
  #anchor: Anchor | undefined;
  #end: SessionEnd | undefined;

  constructor(cursor: ByteCursor, header: InputLogHeader) {
    this.#cursor = cursor;
    this.#header = header;
    this.#state = new RecordState(header);
  }

  read(): InputLog {
    const cursor = this.#cursor;
    while (!cursor.done) {
      if (this.#end !== undefined) throw cursor.fault('goes on after its end');
      const records = this.#events.length + this.#frames.length + this.#marks.length;
      if (records >= inputLimits.records) throw cursor.fault('holds too many records');
      this.#record(cursor.u8());
    }
    if (this.#anchor !== undefined) throw cursor.fault('ends after an anchor');
    const log = {
      ...{ header: this.#header, events: this.#events },
      ...(this.#frames.length === 0 ? {} : { frames: this.#frames }),
      ...(this.#marks.length === 0 ? {} : { marks: this.#marks }),
      ...(this.#framesMissingFromMs === undefined
        ? {}
        : { framesMissingFromMs: this.#framesMissingFromMs }),
    };
    return this.#end === undefined ? log : { ...log, end: this.#end };
  }

  #record(code: number): void {
    if (code === op.anchor) {
      if (this.#anchor !== undefined) throw this.#cursor.fault('holds two anchors in a row');
      this.#anchor = this.#readAnchor();
      return;
    }
    if (code === op.mark) {
      if (this.#anchor !== undefined) throw this.#cursor.fault('holds an anchor of a mark');
      this.#marks.push(this.#mark());
      return;
    }
    const ticks = this.#state.ticks + this.#cursor.var(inputLimits.sessionMs / TICK_MS);
    if (ticks > inputLimits.sessionMs / TICK_MS)
      throw this.#cursor.fault('tells of an impossibly long session');
    this.#state.ticks = ticks;
    const at = {
      atMs: ticks * TICK_MS,
      ...(this.#anchor === undefined ? {} : { anchor: this.#anchor }),
    };
    if (code === op.end) this.#end = at;
    else if (code === op.frame || code === op.framesMissing) this.#network(code, at);
    else this.#events.push({ ...at, event: this.#event(code) });
    this.#anchor = undefined;
  }

  /** What has an exact time only: nothing else in a log of another kind could be replayed by it. */
  #network(code: number, { atMs, anchor }: SessionEnd): void {
    const cursor = this.#cursor;
    if (this.#header.virtual === undefined || anchor !== undefined)
      throw cursor.fault('holds a network frame where none can be');
    if (this.#framesMissingFromMs !== undefined)
      throw cursor.fault('says twice that frames are missing, or holds one after it said so');
    if (code === op.framesMissing) {
      this.#framesMissingFromMs = atMs;
      return;
    }
    const length = cursor.var(inputLimits.networkFrameBytes);
    if (length === 0) throw cursor.fault('holds an empty network frame');
    this.#frames.push({ atMs, after: this.#events.length, bytes: cursor.take(length) });
  }

  #mark(): SessionMark {
    const cursor = this.#cursor;
    const state = this.#state;
    const everyMs = this.#header.virtual?.markEveryMs;
    if (everyMs === undefined) throw cursor.fault('holds a mark where none can be');
    const number = state.markNumber + cursor.var(inputLimits.sessionMs / TICK_MS);
    const atMs = number * everyMs;
    if (number === state.markNumber || atMs > inputLimits.sessionMs)
      throw cursor.fault('holds a mark at an impossible time');
    const { markInstructions } = inputLimits;
    const executed = cursor.var(markInstructions - 1);
    const instructions = (state.mark.instructions + executed) % markInstructions;
    const diskRequests = state.mark.diskRequests + cursor.var();
    if (!Number.isSafeInteger(diskRequests))
      throw cursor.fault('holds a mark of an impossible guest');
    const framesReceived = (state.mark.framesReceived + cursor.var(U16)) & U16;
    const framesSent = (state.mark.framesSent + cursor.var(U16)) & U16;
    const digests = Buffer.from(cursor.take(12));
    state.markNumber = number;
    state.mark = { instructions, diskRequests, framesReceived, framesSent };
    return {
      ...{ atMs, ...state.mark, disk: digests.readUInt32LE(0) },
      ...{ input: digests.readUInt32LE(4), memory: digests.readUInt32LE(8) },
    };
  }

  #event(code: number): InputEvent {
    const cursor = this.#cursor;
    switch (code) {
      case op.releaseOldest:
      case op.releaseSecond:
        return this.#release(code - op.releaseOldest);
      case op.releaseHeld:
        return this.#release(cursor.var(inputLimits.heldKeys));
      case op.releaseOther:
        return keyEvent(readSymbol(cursor), false);
      case op.pressNew:
        return this.#pressNew({ kind: 0, keysym: cursor.var(U32), keycode: 0 });
      case op.pressNewExtended:
        return this.#pressNew({ kind: 1, keysym: cursor.var(U32), keycode: cursor.var(U32) });
      case op.pressKnown:
        return this.#pressKnown(cursor.var(inputLimits.dictionary));
      case op.pointerMove:
      case op.pointerButtons:
      case op.pointerBoth:
        return this.#pointer(code);
      case op.clipboard: {
        const flags = cursor.u8();
        if (flags > 1) throw cursor.fault('has unknown flags');
        return {
          kind: 'clipboard',
          extended: flags === 1,
          data: cursor.take(cursor.var(inputLimits.clipboardBytes)),
        };
      }
      case op.resize:
        return this.#resize();
      default:
        if (code >= op.firstKnown) return this.#pressKnown(code - op.firstKnown);
        if (code >= op.firstLatin && code <= op.lastLatin)
          return this.#press({ kind: 0, keysym: code, keycode: 0 });
        throw cursor.fault('holds a record of unknown kind');
    }
  }

  #release(position: number): InputEvent {
    const symbol = this.#state.release(position);
    if (symbol === undefined) throw this.#cursor.fault('releases a key that is not held');
    return keyEvent(symbol, false);
  }

  #press(symbol: KeySymbol): InputEvent {
    this.#state.press(symbol);
    return keyEvent(symbol, true);
  }

  #pressNew(symbol: KeySymbol): InputEvent {
    this.#state.learn(symbol);
    return this.#press(symbol);
  }

  #pressKnown(index: number): InputEvent {
    const symbol = this.#state.dictionary[index];
    if (symbol === undefined) throw this.#cursor.fault('refers to a key that it never named');
    return this.#press(symbol);
  }

  #pointer(code: number): InputEvent {
    const state = this.#state;
    if (code !== op.pointerButtons) {
      state.x += this.#cursor.zig();
      state.y += this.#cursor.zig();
    }
    if (code !== op.pointerMove) state.buttons = this.#cursor.u8();
    const { x, y, buttons } = state;
    if (x < 0 || y < 0 || x > U16 || y > U16)
      throw this.#cursor.fault('moves the pointer off any screen');
    return { kind: 'pointer', x, y, buttons };
  }

  #resize(): InputEvent {
    const cursor = this.#cursor;
    const width = cursor.var(U16);
    const height = cursor.var(U16);
    const screens: ScreenLayout[] = [];
    for (let left = cursor.var(inputLimits.screens); left > 0; left--) {
      screens.push({
        id: cursor.var(U32),
        x: cursor.var(U16),
        y: cursor.var(U16),
        width: cursor.var(U16),
        height: cursor.var(U16),
        flags: cursor.var(U32),
      });
    }
    return { kind: 'resize', width, height, screens };
  }

  #readAnchor(): Anchor {
    const cursor = this.#cursor;
    const state = this.#state;
    const flags = cursor.u8();
    if (flags > 3) throw cursor.fault('has unknown flags');
    if ((flags & 1) !== 0) {
      state.width = cursor.var(inputLimits.side);
      state.height = cursor.var(inputLimits.side);
    }
    if ((flags & 2) !== 0) {
      const mask: TileRect[] = [];
      for (let left = cursor.var(inputLimits.maskRects); left > 0; left--)
        mask.push(readRect(cursor));
      state.mask = mask;
    }
    state.cpuTicks += cursor.zig();
    if (state.cpuTicks < 0) throw cursor.fault('tells of negative CPU time');
    const digest = Buffer.from(cursor.take(DIGEST_BYTES)).toString('hex');
    return {
      digest,
      width: state.width,
      height: state.height,
      mask: state.mask,
      cpuMs: state.cpuTicks * TICK_MS,
    };
  }
}

function readRect(cursor: ByteCursor): TileRect {
  const side = inputLimits.side / TILE;
  return {
    x: cursor.var(side),
    y: cursor.var(side),
    width: cursor.var(side),
    height: cursor.var(side),
  };
}

function keyEvent({ kind, keysym, keycode }: KeySymbol, down: boolean): InputEvent {
  return kind === 0
    ? { kind: 'key', down, keysym }
    : { kind: 'extended-key', down, keysym, keycode };
}
