import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

import { cancelled, RepriseError, throwIfCancelled } from '../../errors.js';
import type {
  DeviceInput,
  TimedDeviceInput,
  VirtualClock,
  VirtualClockStatus,
  VirtualMark,
} from '../virtual-clock.js';

import {
  appendedBytes,
  encodeRequest,
  MAX_MESSAGE_BYTES,
  numberOf,
  type Reply,
  ReplyReader,
  type Request,
} from './clock-messages.js';

const CONNECT_RETRY_MS = 10;
/** A tick comes every few ms, but the guest may be held by its disk for as long as QEMU waits for that. */
const REPLY_TIMEOUT_MS = 90_000;
/** What an `append` may hold beside its events. */
const APPEND_SPARE_BYTES = 64;

interface Waiting {
  readonly request: Request['type'];
  readonly resolve: (reply: Reply) => void;
  readonly reject: (error: RepriseError) => void;
  readonly timer: NodeJS.Timeout | undefined;
}

/** The controller's end of the plugin's socket. */
export class ClockClient implements VirtualClock, AsyncDisposable {
  readonly #socket: Socket;
  readonly #reader = new ReplyReader();
  readonly #waiting = new Map<number, Waiting>();
  #nextId = 1;
  #failure: RepriseError | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => {
      this.#hear(chunk);
    });
    socket.on('error', (cause) => {
      this.#fail(gone(cause));
    });
    socket.on('close', () => {
      this.#fail(gone());
    });
  }

  /** Connects as soon as the plugin listens. Throws TIMEOUT, CANCELLED. */
  static async connect(
    path: string,
    options: { readonly timeoutMs: number; readonly signal?: AbortSignal },
  ): Promise<ClockClient> {
    const deadline = performance.now() + options.timeoutMs;
    for (;;) {
      throwIfCancelled(options.signal);
      const socket = await tryConnect(path);
      if (socket !== undefined) return new ClockClient(socket);
      if (performance.now() > deadline) {
        throw new RepriseError(
          'TIMEOUT',
          "QEMU's virtual clock did not listen in time. The host may be overloaded: try again.",
        );
      }
      await sleep(CONNECT_RETRY_MS);
    }
  }

  async status(): Promise<VirtualClockStatus> {
    const reply = await this.#ask({ type: 'status' });
    if (reply.type !== 'status') throw unexpected();
    return reply.status;
  }

  async now(): Promise<bigint> {
    return await this.#askInstant({ type: 'now' });
  }

  async record(options: {
    readonly tickNs: number;
    readonly paced: boolean;
    readonly markEveryNs?: number;
  }): Promise<bigint> {
    return await this.#askInstant({ type: 'record', markEveryNs: 0, ...options });
  }

  async nextMark(): Promise<VirtualMark | undefined> {
    // The guest may be slow: a mark is due by its clock, not by ours.
    const reply = await this.#ask({ type: 'mark' }, { timeoutMs: undefined });
    if (reply.type === 'time') return undefined;
    if (reply.type !== 'mark') throw unexpected();
    return reply.mark;
  }

  async inject(input: DeviceInput): Promise<number> {
    return await this.#askTime({ type: 'input', input });
  }

  async stop(): Promise<number> {
    return await this.#askTime({ type: 'stop', atNs: 0 });
  }

  async load(events: Iterable<TimedDeviceInput>): Promise<void> {
    let batch: TimedDeviceInput[] = [];
    let bytes = APPEND_SPARE_BYTES;
    for (const event of events) {
      const more = appendedBytes(event);
      if (bytes + more > MAX_MESSAGE_BYTES) {
        await this.#askInstant({ type: 'append', events: batch });
        batch = [];
        bytes = APPEND_SPARE_BYTES;
      }
      batch.push(event);
      bytes += more;
    }
    if (batch.length > 0) await this.#askInstant({ type: 'append', events: batch });
  }

  async replay(
    stopAtNs: number,
    { markEveryNs = 0 }: { readonly markEveryNs?: number } = {},
  ): Promise<bigint> {
    return await this.#askInstant({ type: 'replay', stopAtNs, markEveryNs });
  }

  async halt(): Promise<void> {
    await this.#askInstant({ type: 'stop', atNs: 0 });
  }

  async replayed(signal?: AbortSignal): Promise<number> {
    // As long as it takes: how long that may be is for the caller to judge, who sees its progress.
    return await this.#askTime({ type: 'wait' }, { timeoutMs: undefined, signal });
  }

  abandon(): void {
    this.close();
  }

  /** Hangs up. Idempotent. */
  close(): void {
    this.#socket.destroy();
    this.#fail(gone());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
    return Promise.resolve();
  }

  /** A time of the session. */
  async #askTime(request: Request, options?: AskOptions): Promise<number> {
    return numberOf(await this.#askInstant(request, options));
  }

  /** A time of the guest's clock. */
  async #askInstant(request: Request, options?: AskOptions): Promise<bigint> {
    const reply = await this.#ask(request, options);
    if (reply.type !== 'time') throw unexpected();
    return reply.ns;
  }

  async #ask(
    request: Request,
    options: AskOptions = { timeoutMs: REPLY_TIMEOUT_MS },
  ): Promise<Reply> {
    const { timeoutMs, signal } = options;
    if (this.#failure !== undefined) throw this.#failure;
    throwIfCancelled(signal);
    const id = this.#nextId++;
    let stopListening: () => void = () => undefined;
    try {
      return await new Promise<Reply>((resolve, reject) => {
        const timer =
          timeoutMs === undefined
            ? undefined
            : setTimeout(() => {
                reject(noAnswer(request, timeoutMs));
              }, timeoutMs);
        this.#waiting.set(id, { request: request.type, resolve, reject, timer });
        if (signal !== undefined) {
          const abort = () => {
            reject(cancelled(signal));
          };
          signal.addEventListener('abort', abort, { once: true });
          stopListening = () => {
            signal.removeEventListener('abort', abort);
          };
        }
        this.#socket.write(encodeRequest(id, request));
      });
    } finally {
      stopListening();
      clearTimeout(this.#waiting.get(id)?.timer);
      this.#waiting.delete(id);
    }
  }

  #hear(chunk: Buffer): void {
    try {
      for (const reply of this.#reader.push(chunk)) this.#settle(reply);
    } catch (error) {
      this.#socket.destroy();
      this.#fail(error instanceof RepriseError ? error : gone(error));
    }
  }

  /** A reply to what nobody waits for any more (a deadline passed) is of no use. */
  #settle(reply: Reply): void {
    const waiting = this.#waiting.get(reply.id);
    if (reply.type === 'refusal') waiting?.reject(refused(waiting.request, reply));
    else waiting?.resolve(reply);
  }

  #fail(error: RepriseError): void {
    this.#failure ??= error;
    for (const { reject } of this.#waiting.values()) reject(this.#failure);
  }
}

interface AskOptions {
  readonly timeoutMs: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

async function tryConnect(path: string): Promise<Socket | undefined> {
  const socket = connect({ path });
  return await new Promise((resolve) => {
    socket.once('connect', () => {
      socket.removeAllListeners('error');
      resolve(socket);
    });
    socket.once('error', () => {
      socket.destroy();
      resolve(undefined);
    });
  });
}

function gone(cause?: unknown): RepriseError {
  return new RepriseError(
    'HYPERVISOR_GONE',
    'The connection to the virtual clock in QEMU ended. Start the VM again from its last snapshot.',
    { cause },
  );
}

/** Refusals of an input with which it has not reached the guest, and will not: 4 not in this state, 5 too much. */
const NOT_TAKEN: ReadonlySet<number> = new Set([4, 5]);

function refused(
  request: Request['type'],
  { text, fault }: Extract<Reply, { type: 'refusal' }>,
): RepriseError {
  if (request === 'input' && NOT_TAKEN.has(fault)) {
    return new RepriseError('INPUT_NOT_TAKEN', `The VM did not get an input: ${text}.`, {
      context: { fault },
    });
  }
  return new RepriseError(
    'VIRTUAL_CLOCK_FAILED',
    `The virtual clock in QEMU refused a request: ${text}. Suspend the VM and start it again.`,
    { context: { fault } },
  );
}

function unexpected(): RepriseError {
  return new RepriseError(
    'VIRTUAL_CLOCK_FAILED',
    'The virtual clock in QEMU answered another question. Suspend the VM and start it again.',
  );
}

function noAnswer(request: Request, timeoutMs: number): RepriseError {
  return new RepriseError(
    'TIMEOUT',
    `The virtual clock in QEMU did not answer '${request.type}' within ${String(timeoutMs / 1000)} s. Look at the log of the VM, then start it again.`,
  );
}
