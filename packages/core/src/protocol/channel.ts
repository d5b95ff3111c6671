import { once } from 'node:events';

import { cancelled, RepriseError, describeError } from '../errors.js';
import type { Link } from '../link/index.js';

import { ByteAccount, type ByteTotals } from './byte-account.js';
import { ControlCodec } from './control-codec.js';
import { checkSize, FrameReader, frame, PREAMBLE, type RawFrame } from './framing.js';
import {
  messages,
  PROTOCOL_VERSION,
  type Content,
  type Message,
  type MessageName,
  type Side,
} from './messages.js';
import { nextPhase, type Phase } from './phases.js';

const KEEPALIVE_MS = 15_000;
/** No byte for this long, keep-alives included: the link is dead. */
const SILENCE_MS = 60_000;

export interface Greeting {
  readonly software: string;
  readonly host: string;
}

/**
 * One side of a conversation: typed messages over a link, each allowed by the table of phases, each
 * byte counted. Sending waits for the link; receiving pulls, so an unread peer is held back.
 */
export class Channel implements AsyncDisposable {
  readonly side: Side;
  /** What the peer said of itself. */
  readonly peer: Greeting;
  readonly #link: Link;
  readonly #reader: FrameReader;
  readonly #account: ByteAccount;
  readonly #signal: AbortSignal | undefined;
  readonly #keepalive: NodeJS.Timeout;
  readonly #sending = new ControlCodec();
  readonly #receiving = new ControlCodec();
  #phase: Phase = 'greeting';
  #closed = false;

  private constructor(
    side: Side,
    link: Link,
    reader: FrameReader,
    account: ByteAccount,
    peer: Greeting,
    signal: AbortSignal | undefined,
  ) {
    this.side = side;
    this.peer = peer;
    this.#link = link;
    this.#reader = reader;
    this.#account = account;
    this.#signal = signal;
    this.#keepalive = setInterval(() => {
      this.send('keepalive', {}).catch(() => undefined);
    }, KEEPALIVE_MS);
    this.#keepalive.unref();
  }

  /** Exchanges greetings on a fresh link and agrees on a version. The link is closed on failure. */
  static async open(
    link: Link,
    side: Side,
    self: Greeting,
    options: { signal?: AbortSignal } = {},
  ): Promise<Channel> {
    const account = new ByteAccount();
    const reader = new FrameReader(link, account, SILENCE_MS);
    const abort = () => {
      link.stream.destroy();
    };
    options.signal?.addEventListener('abort', abort, { once: true });
    // The signal may outlive many links.
    link.stream.once('close', () => options.signal?.removeEventListener('abort', abort));
    if (options.signal?.aborted === true) abort();
    try {
      const greeting = Buffer.concat([
        PREAMBLE,
        frame(
          'hello',
          encode('hello', { versions: [PROTOCOL_VERSION, PROTOCOL_VERSION], ...self }),
        ),
      ]);
      await write(link, greeting);
      account.sent('control', greeting.length);
      await reader.expectPreamble();
      const raw = await reader.next();
      if (raw.name !== 'hello') throw outOfPlace(raw.name, 'greeting');
      const hello = decode('hello', raw.payload);
      agreeOnVersion(hello.versions);
      return new Channel(
        side,
        link,
        reader,
        account,
        { software: hello.software, host: hello.host },
        options.signal,
      );
    } catch (error) {
      await link.close();
      if (options.signal?.aborted === true) throw cancelled(options.signal);
      throw error;
    }
  }

  get phase(): Phase {
    return this.#phase;
  }

  get bytes(): ByteTotals {
    return this.#account.totals();
  }

  /** The other end, as a person wrote it. */
  get peerName(): string {
    return this.#link.peer;
  }

  /** Sends one message. Settles when the link has taken it. */
  async send<N extends MessageName>(name: N, content: Content<N>): Promise<void> {
    this.#advance(name, this.side);
    const spec = messages[name];
    const plain = encode(name, content);
    checkSize(name, plain.length);
    // From here to the link without a pause: the peer takes messages in the order in which they were deflated.
    const payload = spec.content === 'bytes' ? plain : this.#sending.encode(Buffer.from(plain));
    const bytes = frame(name, payload);
    this.#account.sent(spec.class, bytes.length);
    try {
      await write(this.#link, bytes);
    } catch (error) {
      throw this.#broken(error);
    }
  }

  /**
   * The next message, which must be one of `names`. An error message of the peer is thrown as
   * PEER_ERROR, anything else that is out of place as PROTOCOL_VIOLATION.
   */
  async receive<N extends MessageName>(...names: readonly N[]): Promise<Message<N>> {
    for (;;) {
      const raw = await this.#next();
      this.#advance(raw.name, other(this.side));
      if (raw.name === 'keepalive') continue;
      if (raw.name === 'error') throw peerError(decode('error', raw.payload), this.#link.peer);
      if (!(names as readonly MessageName[]).includes(raw.name)) {
        throw outOfPlace(raw.name, this.#phase);
      }
      return { name: raw.name, content: decode(raw.name, raw.payload) } as Message<N>;
    }
  }

  /** Tells the peer why we stop, if it can still be told. */
  async sendError(error: unknown): Promise<void> {
    const code = error instanceof RepriseError ? error.code : 'INTERNAL';
    const message = describeError(error).slice(0, 2000);
    await this.send('error', { code, message }).catch(() => undefined);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    clearInterval(this.#keepalive);
    await this.#link.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #next(): Promise<RawFrame> {
    let raw: RawFrame;
    try {
      raw = await this.#reader.next();
    } catch (error) {
      throw this.#broken(error);
    }
    const { name, payload } = raw;
    const { content, maxBytes } = messages[name];
    if (content === 'bytes') return raw;
    try {
      return { name, payload: this.#receiving.decode(payload, maxBytes) };
    } catch (cause) {
      throw malformed(name, cause);
    }
  }

  #advance(name: MessageName, from: Side): void {
    const spec = messages[name];
    const next = nextPhase(this.#phase, name);
    if ((spec.from !== 'both' && spec.from !== from) || next === undefined) {
      throw outOfPlace(name, this.#phase);
    }
    this.#phase = next;
  }

  #broken(error: unknown): unknown {
    if (this.#signal?.aborted === true) return cancelled(this.#signal);
    if (error instanceof RepriseError && error.code !== 'LINK_CLOSED') return error;
    const words = this.#link.lastWords();
    return new RepriseError(
      'LINK_FAILED',
      `The connection to ${this.#link.peer} broke${words === '' ? '' : ` (${words})`}. Run the same command again: what has arrived is kept.`,
      { cause: error },
    );
  }
}

async function write(link: Link, bytes: Uint8Array): Promise<void> {
  const { stream } = link;
  if (stream.destroyed || stream.writableEnded) {
    throw new RepriseError('LINK_CLOSED', 'The link is closed. Open a new one.');
  }
  if (stream.write(bytes)) return;
  const ac = new AbortController();
  try {
    await Promise.race([
      once(stream, 'drain', { signal: ac.signal }),
      once(stream, 'close', { signal: ac.signal }),
    ]);
  } finally {
    ac.abort();
  }
}

function encode<N extends MessageName>(name: N, content: Content<N>): Uint8Array {
  if (messages[name].content === 'bytes') return content as Uint8Array;
  return Buffer.from(JSON.stringify(content));
}

function decode<N extends MessageName>(name: N, payload: Buffer): Content<N> {
  const { content } = messages[name];
  if (content === 'bytes') return payload as Uint8Array as Content<N>;
  let value: unknown;
  try {
    value = JSON.parse(payload.toString('utf8'));
  } catch (cause) {
    throw malformed(name, cause);
  }
  const result = content.safeParse(value);
  if (!result.success) throw malformed(name, result.error);
  return result.data as Content<N>;
}

function agreeOnVersion([oldest, newest]: readonly [number, number]): void {
  if (oldest <= PROTOCOL_VERSION && PROTOCOL_VERSION <= newest) return;
  const older = newest < PROTOCOL_VERSION ? 'The other host' : 'This host';
  throw new RepriseError(
    'VERSION_MISMATCH',
    `This reprise speaks protocol ${String(PROTOCOL_VERSION)}, the other one ${String(oldest)} to ${String(newest)}. ${older} has the older reprise: update it.`,
  );
}

function other(side: Side): Side {
  return side === 'source' ? 'destination' : 'source';
}

function outOfPlace(name: MessageName, phase: Phase): RepriseError {
  return new RepriseError(
    'PROTOCOL_VIOLATION',
    `The message '${name}' has no place in the phase '${phase}'. Make sure that both hosts run the same reprise, then try again.`,
    { context: { name, phase } },
  );
}

function malformed(name: MessageName, cause: unknown): RepriseError {
  return new RepriseError(
    'PROTOCOL_VIOLATION',
    `The other host sent a malformed '${name}'. Make sure that both hosts run the same reprise, then try again.`,
    { context: { name }, cause },
  );
}

function peerError(content: Content<'error'>, peer: string): RepriseError {
  return new RepriseError('PEER_ERROR', `${peer} says: ${content.message}`, {
    context: { code: content.code },
  });
}
