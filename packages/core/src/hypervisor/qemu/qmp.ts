import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

import { cancelled, RepriseError, throwIfCancelled } from '../../errors.js';

/** A reply longer than this is not QEMU's: the connection is dropped. */
const MAX_LINE_BYTES = 4 * 1024 * 1024;
const CONNECT_POLL_MS = 20;

export interface QmpEvent {
  readonly event: string;
  readonly data: Readonly<Record<string, unknown>>;
}

interface Pending {
  readonly command: string;
  resolve(value: unknown): void;
  reject(error: Error): void;
}

/** A client of QEMU's machine protocol: commands with deadlines, events by listener. */
export class QmpClient implements AsyncDisposable {
  readonly #socket: Socket;
  readonly #pending = new Map<number, Pending>();
  readonly #listeners = new Set<(event: QmpEvent) => void>();
  #nextId = 1;
  #buffered = '';
  #failure: RepriseError | undefined;
  #greeted: (() => void) | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setEncoding('utf8');
    socket.on('data', (text: string) => {
      this.#receive(text);
    });
    socket.on('error', (error) => {
      this.#fail(error);
    });
    socket.on('close', () => {
      this.#fail();
    });
  }

  /** Connects to `path`, waiting for QEMU to create it, and negotiates capabilities. */
  static async connect(
    path: string,
    options: { timeoutMs: number; signal?: AbortSignal },
  ): Promise<QmpClient> {
    const deadline = Date.now() + options.timeoutMs;
    for (;;) {
      throwIfCancelled(options.signal);
      try {
        const client = new QmpClient(await connectSocket(path));
        await client.#greeting(Math.max(1, deadline - Date.now()));
        await client.execute('qmp_capabilities');
        return client;
      } catch (error) {
        if (!isNotYetThere(error)) throw error;
        if (Date.now() > deadline) {
          throw new RepriseError(
            'TIMEOUT',
            `QEMU did not open its control socket within ${String(options.timeoutMs / 1000)} s. The host may be overloaded: try again, or look at the log of the VM.`,
            { cause: error },
          );
        }
        await sleep(CONNECT_POLL_MS);
      }
    }
  }

  /** Runs one command. Rejects with HYPERVISOR_REFUSED, HYPERVISOR_GONE or TIMEOUT. */
  async execute(
    command: string,
    args: Readonly<Record<string, unknown>> = {},
    options: { timeoutMs?: number } = {},
  ): Promise<unknown> {
    if (this.#failure !== undefined) throw this.#failure;
    const timeoutMs = options.timeoutMs ?? 30_000;
    const id = this.#nextId++;
    return await new Promise<unknown>((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#pending.delete(id);
        reject(
          new RepriseError(
            'TIMEOUT',
            `QEMU did not answer '${command}' within ${String(timeoutMs / 1000)} s. Try again; if it repeats, the VM hangs and must be stopped.`,
            { context: { command } },
          ),
        );
      }, timeoutMs);
      this.#pending.set(id, {
        command,
        resolve: (value) => {
          clearTimeout(timer);
          resolve(value);
        },
        reject: (error) => {
          clearTimeout(timer);
          reject(error);
        },
      });
      this.#socket.write(`${JSON.stringify({ execute: command, arguments: args, id })}\n`);
    });
  }

  onEvent(listener: (event: QmpEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Settles with the first event that `matches`; a dropped connection or `signal` rejects it. */
  async waitFor(
    matches: (event: QmpEvent) => boolean,
    options: { timeoutMs: number; what: string; signal?: AbortSignal },
  ): Promise<QmpEvent> {
    return await new Promise<QmpEvent>((resolve, reject) => {
      const settle = (action: () => void) => {
        clearTimeout(timer);
        stop();
        this.#socket.off('close', onClose);
        options.signal?.removeEventListener('abort', onAbort);
        action();
      };
      const stop = this.onEvent((event) => {
        if (matches(event)) {
          settle(() => {
            resolve(event);
          });
        }
      });
      const onClose = () => {
        settle(() => {
          reject(gone());
        });
      };
      const onAbort = () => {
        settle(() => {
          if (options.signal !== undefined) reject(cancelled(options.signal));
        });
      };
      const timer = setTimeout(() => {
        settle(() => {
          reject(
            new RepriseError(
              'TIMEOUT',
              `QEMU did not finish ${options.what} within ${String(options.timeoutMs / 1000)} s. Try again when the host is less busy.`,
            ),
          );
        });
      }, options.timeoutMs);
      this.#socket.once('close', onClose);
      options.signal?.addEventListener('abort', onAbort, { once: true });
      if (options.signal?.aborted === true) onAbort();
      else if (this.#failure !== undefined) onClose();
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#socket.destroy();
    return Promise.resolve();
  }

  async #greeting(timeoutMs: number): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => {
        reject(
          new RepriseError(
            'TIMEOUT',
            'QEMU accepted a control connection but did not greet. Another program may hold its socket: stop that program and try again.',
          ),
        );
      }, timeoutMs);
      this.#greeted = () => {
        clearTimeout(timer);
        resolve();
      };
      this.#socket.once('close', () => {
        clearTimeout(timer);
        reject(gone());
      });
    });
  }

  #receive(text: string): void {
    this.#buffered += text;
    let end: number;
    while ((end = this.#buffered.indexOf('\n')) >= 0) {
      const line = this.#buffered.slice(0, end);
      this.#buffered = this.#buffered.slice(end + 1);
      if (line.trim() !== '') this.#message(line);
    }
    if (this.#buffered.length > MAX_LINE_BYTES) {
      this.#socket.destroy(new Error('an over-long line on the QMP socket'));
    }
  }

  #message(line: string): void {
    let message: Record<string, unknown>;
    try {
      message = JSON.parse(line) as Record<string, unknown>;
    } catch (error) {
      this.#socket.destroy(error as Error);
      return;
    }
    if ('QMP' in message) {
      this.#greeted?.();
    } else if (typeof message['event'] === 'string') {
      const event = {
        event: message['event'],
        data: (message['data'] ?? {}) as Record<string, unknown>,
      };
      for (const listener of [...this.#listeners]) listener(event);
    } else {
      this.#reply(message);
    }
  }

  #reply(message: Record<string, unknown>): void {
    const pending = this.#pending.get(message['id'] as number);
    if (pending === undefined) return;
    this.#pending.delete(message['id'] as number);
    const error = message['error'] as { class?: string; desc?: string } | undefined;
    if (error === undefined) {
      pending.resolve(message['return']);
      return;
    }
    pending.reject(
      new RepriseError(
        'HYPERVISOR_REFUSED',
        `QEMU refused '${pending.command}': ${error.desc ?? 'no reason given'}. Check that this QEMU version supports the machine (reprise doctor).`,
        { context: { command: pending.command, class: error.class } },
      ),
    );
  }

  #fail(cause?: Error): void {
    this.#failure ??= gone(cause);
    for (const pending of this.#pending.values()) pending.reject(this.#failure);
    this.#pending.clear();
  }
}

function gone(cause?: unknown): RepriseError {
  return new RepriseError(
    'HYPERVISOR_GONE',
    'QEMU closed its control connection: the process ended. Its last words are in the log of the VM.',
    { cause },
  );
}

async function connectSocket(path: string): Promise<Socket> {
  return await new Promise<Socket>((resolve, reject) => {
    const socket = connect({ path });
    socket.once('connect', () => {
      socket.off('error', reject);
      resolve(socket);
    });
    socket.once('error', reject);
  });
}

function isNotYetThere(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException).code;
  return code === 'ENOENT' || code === 'ECONNREFUSED';
}
