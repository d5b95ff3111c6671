import { RepriseError } from '../errors.js';

/** LEB128 integers of the input log: at most 7 bytes, 2^48 - 1. */
const VAR_BYTES = 7;
const VAR_LIMIT = 2 ** 48;

/** Bytes, appended to. */
export class ByteWriter {
  #bytes = Buffer.alloc(256);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  u8(value: number): void {
    this.#grow(1);
    this.#bytes[this.#length++] = value;
  }

  var(value: number): void {
    let rest = value;
    while (rest >= 0x80) {
      this.u8((rest % 0x80) | 0x80);
      rest = Math.floor(rest / 0x80);
    }
    this.u8(rest);
  }

  zig(value: number): void {
    this.var(value < 0 ? -2 * value - 1 : 2 * value);
  }

  bytes(data: Uint8Array): void {
    this.#grow(data.length);
    this.#bytes.set(data, this.#length);
    this.#length += data.length;
  }

  /** What was written since the last call; the writer starts empty. */
  drain(): Buffer {
    const out = Buffer.from(this.#bytes.subarray(0, this.#length));
    this.#bytes.fill(0, 0, this.#length);
    this.#length = 0;
    return out;
  }

  #grow(extra: number): void {
    if (this.#length + extra <= this.#bytes.length) return;
    const bigger = Buffer.alloc(Math.max(2 * this.#bytes.length, this.#length + extra));
    bigger.set(this.#bytes.subarray(0, this.#length));
    this.#bytes.fill(0);
    this.#bytes = bigger;
  }
}

/** Bounded reading of bytes that may be hostile; every fault is INPUT_LOG_UNREADABLE with an offset, never a value. */
export class ByteCursor {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get offset(): number {
    return this.#at;
  }

  get done(): boolean {
    return this.#at === this.#bytes.length;
  }

  u8(): number {
    const value = this.#bytes[this.#at];
    if (value === undefined) throw this.fault('ends too early');
    this.#at++;
    return value;
  }

  /** An integer of at most `limit`. */
  var(limit = VAR_LIMIT - 1): number {
    let value = 0;
    let scale = 1;
    for (let i = 0; i < VAR_BYTES; i++, scale *= 0x80) {
      const byte = this.u8();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) {
        if (value > limit) throw this.fault('holds a number beyond its limit');
        return value;
      }
    }
    throw this.fault('holds a number of too many bytes');
  }

  zig(): number {
    const value = this.var();
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }

  take(length: number): Uint8Array {
    if (this.#at + length > this.#bytes.length) throw this.fault('ends too early');
    this.#at += length;
    return this.#bytes.slice(this.#at - length, this.#at);
  }

  fault(what: string): RepriseError {
    return new RepriseError(
      'INPUT_LOG_UNREADABLE',
      `The input log ${what} at byte ${this.#at}. It cannot be replayed; migrate without it.`,
      { context: { offset: this.#at } },
    );
  }
}
