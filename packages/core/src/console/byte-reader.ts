import type { Duplex } from 'node:stream';

/** The stream is paused while more than this stands unread. */
const HIGH_WATER_BYTES = 1 << 20;

/**
 * Pull-style reading of a socket: `need(n)` waits until n bytes are there, `take(n)` removes them. Holds at most about
 * 1 MiB more than what is needed; the socket feels the rest as back-pressure.
 */
export class ByteReader {
  readonly #stream: Duplex;
  readonly #ended: () => Error;
  #chunks: Buffer[] = [];
  #available = 0;
  #wanted = 0;
  #closed = false;
  #wake: (() => void) | undefined;

  /** `ended` makes the error that readers get when the stream is over. */
  constructor(stream: Duplex, ended: () => Error) {
    this.#stream = stream;
    this.#ended = ended;
    stream.on('data', this.#onData);
    stream.once('end', this.#onEnd);
    stream.once('close', this.#onEnd);
    if (stream.destroyed) this.#closed = true;
  }

  get available(): number {
    return this.#available;
  }

  /** Waits for n bytes. Rejects when the stream ends before; a deadline is set by destroying the stream. */
  async need(n: number): Promise<void> {
    while (this.#available < n) {
      if (this.#closed) throw this.#ended();
      this.#wanted = n;
      this.#stream.resume();
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
    this.#wanted = 0;
  }

  /** Removes n bytes that need() has seen. */
  take(n: number): Buffer {
    const first = this.#chunks[0];
    if (first !== undefined && first.length >= n) {
      this.#available -= n;
      if (first.length === n) this.#chunks.shift();
      else this.#chunks[0] = first.subarray(n);
      this.#relieve();
      return first.subarray(0, n);
    }
    const out = Buffer.allocUnsafe(n);
    this.takeInto(out);
    return out;
  }

  /** Fills `target` with bytes that need() has seen. */
  takeInto(target: Uint8Array): void {
    if (this.#available < target.length) throw new RangeError('take() without need()');
    let filled = 0;
    let used = 0;
    while (filled < target.length) {
      const chunk = this.#chunks[used];
      if (chunk === undefined) break;
      const part = chunk.subarray(0, target.length - filled);
      target.set(part, filled);
      filled += part.length;
      if (part.length === chunk.length) used++;
      else this.#chunks[used] = chunk.subarray(part.length);
    }
    this.#chunks.splice(0, used);
    this.#available -= target.length;
    this.#relieve();
  }

  async read(n: number): Promise<Buffer> {
    await this.need(n);
    return this.take(n);
  }

  /** Whatever has come, at least one byte; null at the end of the stream. */
  async readSome(): Promise<Buffer | null> {
    while (this.#available === 0) {
      if (this.#closed) return null;
      this.#wanted = 1;
      this.#stream.resume();
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
    this.#wanted = 0;
    return this.take(this.#chunks[0]?.length ?? 0);
  }

  /** Reads and forgets n bytes, in pieces. */
  async skip(n: number): Promise<void> {
    for (let left = n; left > 0;) {
      await this.need(1);
      const piece = Math.min(left, this.#available);
      this.take(piece);
      left -= piece;
    }
  }

  /** Stops reading and gives back what stands unread; the stream is left paused. */
  detach(): Buffer {
    this.#stream.pause();
    this.#stream.off('data', this.#onData);
    this.#stream.off('end', this.#onEnd);
    this.#stream.off('close', this.#onEnd);
    const rest = Buffer.concat(this.#chunks);
    this.#chunks = [];
    this.#available = 0;
    return rest;
  }

  readonly #onData = (chunk: Buffer): void => {
    this.#chunks.push(chunk);
    this.#available += chunk.length;
    if (this.#available > HIGH_WATER_BYTES + this.#wanted) this.#stream.pause();
    if (this.#available >= this.#wanted) this.#notify();
  };

  readonly #onEnd = (): void => {
    this.#closed = true;
    this.#notify();
  };

  #notify(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }

  #relieve(): void {
    if (this.#stream.isPaused() && this.#available < HIGH_WATER_BYTES / 2) this.#stream.resume();
  }
}
