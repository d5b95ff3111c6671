import { Duplex, Transform, type TransformCallback } from 'node:stream';

import { RepriseError } from '../errors.js';

import type { Link } from './link.js';

/** Bytes a second from a person's `5mbit`, `800kbit`, `1gbit` or `2MB`; bits are the field's habit. */
export function parseRate(text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*(kbit|mbit|gbit|kb|mb|gb)$/i.exec(text.trim());
  const bytesPerUnit: Record<string, number> = {
    kbit: 1e3 / 8,
    mbit: 1e6 / 8,
    gbit: 1e9 / 8,
    kb: 1e3,
    mb: 1e6,
    gb: 1e9,
  };
  const rate = Number(match?.[1]) * (bytesPerUnit[match?.[2]?.toLowerCase() ?? ''] ?? NaN);
  if (rate >= 1) return rate;
  throw new RepriseError(
    'INVALID_ARGUMENT',
    `'${text}' is no rate. Write it like 5mbit, 800kbit or 2MB (a second).`,
  );
}

/** How much may pass at once after a pause, in seconds of the rate. */
const BURST_SECONDS = 0.05;
/** Pieces small enough that a slow link stays smooth. */
const PIECE_BYTES = 4096;

/**
 * A token bucket: whoever takes more than is there waits until it has dripped in. The debt is carried,
 * so the long-run rate is exact whatever the pieces.
 */
class TokenBucket {
  readonly #bytesPerSecond: number;
  #tokens: number;
  #filledAt = performance.now();

  constructor(bytesPerSecond: number) {
    this.#bytesPerSecond = bytesPerSecond;
    this.#tokens = bytesPerSecond * BURST_SECONDS;
  }

  /** Milliseconds to wait before `bytes` may count as sent. */
  take(bytes: number): number {
    const now = performance.now();
    const dripped = ((now - this.#filledAt) / 1000) * this.#bytesPerSecond;
    this.#filledAt = now;
    this.#tokens = Math.min(this.#tokens + dripped, this.#bytesPerSecond * BURST_SECONDS) - bytes;
    return this.#tokens >= 0 ? 0 : (-this.#tokens / this.#bytesPerSecond) * 1000;
  }
}

class Throttle extends Transform {
  readonly #bucket: TokenBucket;
  #timer: NodeJS.Timeout | undefined;

  constructor(bytesPerSecond: number) {
    super({ readableHighWaterMark: PIECE_BYTES, writableHighWaterMark: PIECE_BYTES });
    this.#bucket = new TokenBucket(bytesPerSecond);
  }

  override _transform(data: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    let offset = 0;
    const pass = () => {
      while (offset < data.length) {
        const piece = data.subarray(offset, offset + PIECE_BYTES);
        const waitMs = this.#bucket.take(piece.length);
        offset += piece.length;
        this.push(piece);
        // Timers are too coarse for less; the bucket remembers the debt.
        if (waitMs >= 1) {
          this.#timer = setTimeout(pass, waitMs);
          return;
        }
      }
      done();
    };
    pass();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    clearTimeout(this.#timer);
    done(error);
  }
}

/** The same link, no faster than `bytesPerSecond` in each direction. */
export function limitRate(link: Link, bytesPerSecond: number): Link {
  const sending = new Throttle(bytesPerSecond);
  const receiving = new Throttle(bytesPerSecond);
  sending.pipe(link.stream).pipe(receiving);
  const stream = Duplex.from({ readable: receiving, writable: sending });
  for (const part of [stream, sending, receiving]) part.on('error', () => undefined);
  link.stream.once('close', () => {
    receiving.end();
    sending.destroy();
  });
  const close = async () => {
    sending.destroy();
    await link.close();
    receiving.destroy();
  };
  return {
    peer: link.peer,
    stream,
    lastWords: () => link.lastWords(),
    close,
    [Symbol.asyncDispose]: close,
  };
}
