import { RepriseError } from '../errors.js';
import type { Link } from '../link/index.js';

import type { ByteAccount } from './byte-account.js';
import { messageOfType, messages, type MessageName } from './messages.js';

/**
 * A frame is one byte of type, three bytes of length (big-endian), and the payload. Each type bounds
 * its payload, and the bound is checked before a byte of it is kept.
 */
const HEADER_BYTES = 4;

/** The first bytes of either direction: tells a reprise from a login shell that prints a greeting. */
export const PREAMBLE = Buffer.from('reprise\n', 'latin1');

/** Throws FRAME_TOO_LARGE where a message is larger than its type may be. */
export function checkSize(name: MessageName, bytes: number): void {
  if (bytes <= messages[name].maxBytes) return;
  throw new RepriseError(
    'FRAME_TOO_LARGE',
    `A '${name}' of ${String(bytes)} bytes is larger than the protocol allows. Report this defect.`,
  );
}

export function frame(name: MessageName, payload: Uint8Array): Buffer {
  checkSize(name, payload.length);
  const { type } = messages[name];
  const bytes = Buffer.allocUnsafe(HEADER_BYTES + payload.length);
  bytes.writeUInt32BE(((type << 24) | payload.length) >>> 0);
  bytes.set(payload, HEADER_BYTES);
  return bytes;
}

export interface RawFrame {
  readonly name: MessageName;
  readonly payload: Buffer;
}

/** Takes frames off a link, one at a time, as they are asked for. */
export class FrameReader {
  readonly #chunks: AsyncIterator<Buffer>;
  readonly #account: ByteAccount;
  readonly #silenceMs: number;
  #held: Buffer[] = [];
  #heldBytes = 0;

  constructor(link: Link, account: ByteAccount, silenceMs: number) {
    this.#chunks = (link.stream as AsyncIterable<Buffer>)[Symbol.asyncIterator]();
    this.#account = account;
    this.#silenceMs = silenceMs;
  }

  /** Consumes the preamble. Throws LINK_FAILED, quoting what came instead. */
  async expectPreamble(): Promise<void> {
    const bytes = await this.#take(PREAMBLE.length);
    if (bytes.equals(PREAMBLE)) {
      this.#account.received('control', bytes.length);
      return;
    }
    const text = Buffer.concat([bytes, ...this.#held]).toString('latin1', 0, 200);
    const printable = text.replaceAll(/[^\x20-\x7e]+/g, ' ').trim();
    throw new RepriseError(
      'LINK_FAILED',
      `The other side does not speak reprise; it said: "${printable}". Make sure that 'reprise receive' runs there and that the login shell prints nothing.`,
    );
  }

  async next(): Promise<RawFrame> {
    const header = (await this.#take(HEADER_BYTES)).readUInt32BE();
    const name = messageOfType(header >>> 24);
    if (name === undefined) {
      throw new RepriseError(
        'PROTOCOL_VIOLATION',
        `The other host sent a message of an unknown type (${String(header >>> 24)}). Make sure that both hosts run the same reprise, then try again.`,
      );
    }
    const length = header & 0xffffff;
    const spec = messages[name];
    if (length > spec.maxBytes) {
      throw new RepriseError(
        'FRAME_TOO_LARGE',
        `The other host announced a '${name}' of ${String(length)} bytes; ${String(spec.maxBytes)} are allowed. Make sure that both hosts run the same reprise, then try again.`,
        { context: { name, length } },
      );
    }
    const payload = await this.#take(length);
    this.#account.received(spec.class, HEADER_BYTES + length);
    return { name, payload };
  }

  async #take(bytes: number): Promise<Buffer> {
    while (this.#heldBytes < bytes) {
      const chunk = await this.#pull();
      this.#held.push(chunk);
      this.#heldBytes += chunk.length;
    }
    const all = this.#held.length === 1 ? this.#held[0] : undefined;
    const joined = all ?? Buffer.concat(this.#held);
    const rest = joined.subarray(bytes);
    this.#held = rest.length === 0 ? [] : [rest];
    this.#heldBytes = rest.length;
    return joined.subarray(0, bytes);
  }

  async #pull(): Promise<Buffer> {
    let timer: NodeJS.Timeout | undefined;
    const silence = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => {
        reject(
          new RepriseError(
            'TIMEOUT',
            `The other host has been silent for ${String(this.#silenceMs / 1000)} s. Check the network, then run the same command again: what has arrived is kept.`,
          ),
        );
      }, this.#silenceMs);
    });
    try {
      const { value, done } = (await Promise.race([
        this.#chunks.next(),
        silence,
      ])) as IteratorResult<Buffer, undefined>;
      if (done === true) {
        throw new RepriseError(
          'LINK_CLOSED',
          'The other host closed the connection. Look at its messages, then run the same command again.',
        );
      }
      return value;
    } finally {
      clearTimeout(timer);
    }
  }
}
