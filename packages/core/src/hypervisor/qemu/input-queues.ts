import type { QmpClient } from './qmp.js';

/** The part of QEMU's answer about a virtqueue that matters here. */
interface QueueStatus {
  readonly 'vring-num': number;
  /** Guest-physical addresses of the rings; 0 while no driver has set the queue up. */
  readonly 'vring-avail': number;
  readonly 'vring-used': number;
}

interface Queue {
  readonly availAddress: number;
  readonly usedAddress: number;
  /** Buffers that the guest's driver keeps in the queue when it has taken everything. */
  readonly size: number;
}

const DEVICE = 'virtio-input';
/** The queue that events come through; the other one carries what the LEDs show. */
const EVENT_QUEUE = 0;
/** A guest that starts its driver again sets its queues up anew. */
const FIND_AGAIN_MS = 2_000;
const QUICKLY = { timeoutMs: 2_000 };
const INDEX_MASK = 0xffff;

/**
 * What a guest has not taken from its virtio keyboard and tablet. The driver puts every buffer back when it has
 * handled the event in it, so the buffers that are missing from the queue are events that it still has to handle. The
 * two indexes that tell are read from the rings themselves: QEMU looks at the guest's only when it needs a buffer.
 */
export class InputQueues {
  readonly #qmp: QmpClient;
  #queues: readonly Queue[] = [];
  #foundAtMs = -Infinity;

  constructor(qmp: QmpClient) {
    this.#qmp = qmp;
  }

  /** Events over all devices; undefined while the guest drives none of them, or QEMU cannot tell. */
  async backlog(): Promise<number | undefined> {
    if (performance.now() - this.#foundAtMs > FIND_AGAIN_MS) {
      this.#queues = await this.#find();
      this.#foundAtMs = performance.now();
    }
    if (this.#queues.length === 0) return undefined;
    const left = await Promise.all(this.#queues.map((queue) => this.#left(queue)));
    return left.reduce((sum, events) => sum + events, 0);
  }

  async #find(): Promise<Queue[]> {
    const devices = (await this.#ask('x-query-virtio', {})) as
      readonly { readonly path: string; readonly name: string }[] | undefined;
    const queues: Queue[] = [];
    for (const { path, name } of devices ?? []) {
      if (name !== DEVICE) continue;
      const status = (await this.#ask('x-query-virtio-queue-status', {
        path,
        queue: EVENT_QUEUE,
      })) as QueueStatus | undefined;
      if (status === undefined || status['vring-avail'] === 0) continue;
      queues.push({
        availAddress: status['vring-avail'],
        usedAddress: status['vring-used'],
        size: status['vring-num'],
      });
    }
    return queues;
  }

  async #left({ availAddress, usedAddress, size }: Queue): Promise<number> {
    const [avail, used] = await Promise.all([this.#index(availAddress), this.#index(usedAddress)]);
    const free = (avail - used) & INDEX_MASK;
    return Math.max(0, size - free);
  }

  /** The index of a ring stands after its 16 bits of flags. */
  async #index(address: number): Promise<number> {
    const line = `xp /1hx 0x${(address + 2).toString(16)}`;
    const said = await this.#qmp.execute(
      'human-monitor-command',
      { 'command-line': line },
      QUICKLY,
    );
    const value = /: 0x([0-9a-f]{4})/.exec(String(said))?.[1];
    if (value === undefined) throw new Error(`QEMU did not say what is in memory: ${String(said)}`);
    return parseInt(value, 16);
  }

  /** Undefined where this QEMU does not know the command: it is an experimental one. */
  async #ask(command: string, args: Readonly<Record<string, unknown>>): Promise<unknown> {
    return await this.#qmp.execute(command, args, QUICKLY).catch(() => undefined);
  }
}
