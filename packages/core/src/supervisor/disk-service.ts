import { fileURLToPath } from 'node:url';

import type { DiskChain } from '@reprise/blkdriver-native';

import { RepriseError } from '../errors.js';
import { OwnedProcess } from '../process/index.js';

import type { DiskReply, DiskRequest } from './disk-protocol.js';
import type { WrittenBlocks } from './written-blocks.js';

export const DISK_EXPORT = 'disk';

/** The built program, whether this module runs from src (tests) or from dist. */
const DISK_PROGRAM = new URL('../../dist/supervisor/disk-process.js', import.meta.url);

const START_TIMEOUT_MS = 60_000;
const WRITTEN_TIMEOUT_MS = 30_000;
const CLOSE_TIMEOUT_MS = 120_000;
/** A driver that dies more often than this within a minute is not restarted again. */
const MAX_RESTARTS_PER_MINUTE = 5;

export interface DiskServiceOptions {
  readonly chain: DiskChain;
  readonly socketPath: string;
  /** Told about each unexpected end of the process, restarted or not. */
  readonly onFault?: (fault: { lastWords: string; restarted: boolean }) => void;
}

/**
 * Keeps one VM's disk served: starts the disk process and, when it dies, starts it again on the same
 * overlay and log. Meanwhile the hypervisor holds the guest's requests and reconnects by itself.
 */
export class DiskService implements AsyncDisposable {
  readonly socketPath: string;
  readonly #options: DiskServiceOptions;
  #process: OwnedProcess;
  #restarts: number[] = [];
  #closing = false;
  /** Settles when the last question is answered: replies come in the order of the questions. */
  #asked: Promise<unknown> = Promise.resolve();

  private constructor(options: DiskServiceOptions, owned: OwnedProcess) {
    this.#options = options;
    this.socketPath = options.socketPath;
    this.#process = owned;
    this.#watch(owned);
  }

  static async start(options: DiskServiceOptions): Promise<DiskService> {
    return new DiskService(options, await startProcess(options));
  }

  /** For tests that kill it. */
  get processId(): number {
    return this.#process.pid;
  }

  /**
   * What the guest has written from `fromSequence` of the dirty log on (0n at first), and once more from `againFrom`, that of the
   * call before; digested with `key`; at most about `atMost` blocks. Rejects with DISK_UNAVAILABLE, also while the process is being started again.
   */
  async written(o: {
    readonly key: Uint8Array;
    readonly againFrom: bigint;
    readonly fromSequence: bigint;
    readonly atMost: number;
  }): Promise<WrittenBlocks> {
    const asked = this.#asked.then(async () => {
      if (this.#closing || !this.#process.running) throw diskGone('it is not serving');
      return await ask(
        this.#process,
        {
          kind: 'written',
          key: Buffer.from(o.key).toString('base64'),
          againFrom: String(o.againFrom),
          fromSequence: String(o.fromSequence),
          atMost: o.atMost,
        },
        WRITTEN_TIMEOUT_MS,
      );
    });
    this.#asked = asked.catch(() => undefined);
    const reply = await asked;
    if (reply.kind !== 'written')
      throw diskGone(reply.kind === 'failed' ? reply.message : 'no reply');
    const { blocks, digests, nextSequence } = reply;
    return {
      blocks,
      digests: Buffer.from(digests, 'base64'),
      nextSequence: BigInt(nextSequence),
    };
  }

  /** Flushes the overlay and its log, and ends the process. Rejects when data may be missing. */
  async close(): Promise<void> {
    if (this.#closing) return;
    this.#closing = true;
    await this.#asked;
    if (!this.#process.running) throw diskGone('ended before it was closed');
    const reply = await ask(this.#process, { kind: 'close' }, CLOSE_TIMEOUT_MS);
    await this.#process.stop();
    if (reply.kind !== 'closed')
      throw diskGone(reply.kind === 'failed' ? reply.message : 'no reply');
  }

  /** Ends the process without care for what is not flushed. */
  async discard(): Promise<void> {
    this.#closing = true;
    await this.#process.stop();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#closing) await this.discard();
  }

  #watch(owned: OwnedProcess): void {
    void owned.exited.then(async (exit) => {
      if (this.#closing) return;
      const now = Date.now();
      this.#restarts = [...this.#restarts.filter((at) => now - at < 60_000), now];
      const restarted = this.#restarts.length <= MAX_RESTARTS_PER_MINUTE && (await this.#restart());
      this.#options.onFault?.({ lastWords: exit.lastWords, restarted });
    });
  }

  async #restart(): Promise<boolean> {
    try {
      const owned = await startProcess(this.#options);
      if (this.#closing) {
        await owned.stop();
        return false;
      }
      this.#process = owned;
      this.#watch(owned);
      return true;
    } catch {
      // The caller hears `restarted: false`; the guest stays paused, its overlay untouched.
      return false;
    }
  }
}

async function startProcess({ chain, socketPath }: DiskServiceOptions): Promise<OwnedProcess> {
  const program = fileURLToPath(DISK_PROGRAM);
  const owned = await OwnedProcess.start(process.execPath, [program], { ipc: true });
  const { base, layers, overlay } = chain;
  const reply = await ask(
    owned,
    { kind: 'open', base, layers, overlay, socketPath, exportName: DISK_EXPORT },
    START_TIMEOUT_MS,
  );
  if (reply.kind === 'serving') return owned;
  await owned.stop();
  throw diskGone(reply.kind === 'failed' ? reply.message : 'it closed at once');
}

async function ask(
  owned: OwnedProcess,
  request: DiskRequest,
  timeoutMs: number,
): Promise<DiskReply> {
  return await new Promise<DiskReply>((resolve, reject) => {
    const timer = setTimeout(() => {
      settle(() => {
        reject(diskGone(`it did not answer within ${String(timeoutMs / 1000)} s`));
      });
    }, timeoutMs);
    const onMessage = (message: unknown) => {
      settle(() => {
        resolve(message as DiskReply);
      });
    };
    const settle = (action: () => void) => {
      clearTimeout(timer);
      owned.child.off('message', onMessage);
      action();
    };
    owned.child.on('message', onMessage);
    void owned.exited.then((exit) => {
      settle(() => {
        reject(diskGone(exit.lastWords === '' ? 'it ended' : exit.lastWords));
      });
    });
    owned.child.send(request, (error) => {
      if (error !== null) {
        settle(() => {
          reject(diskGone(error.message));
        });
      }
    });
  });
}

function diskGone(reason: string): RepriseError {
  return new RepriseError(
    'DISK_UNAVAILABLE',
    `The process that serves the disk failed: ${reason}. What the guest had flushed is kept; start the VM again.`,
  );
}
