import { access } from 'node:fs/promises';

import { networkSocketsIn } from '../hypervisor/qemu/network.js';
import { CleanupStack } from '../process/index.js';

import { listenForFrames, type FrameSocket } from './frame-socket.js';
import { NetworkProcess, type NetworkFault } from './network-process.js';

/** As the guest sees it: `out` leaves the guest. */
export type Direction = 'out' | 'in';

export interface NetworkServiceOptions {
  readonly runDirectory: string;
  /** Every frame that passes, in the order of its direction. It must not be kept. */
  readonly onFrame: (frame: Uint8Array, direction: Direction) => void;
  /** The network was away and came back, or stays away; either way frames may be missing from what was noted. */
  readonly onFault: (fault: NetworkFault) => void;
}

/**
 * The network of a session: the guest's QEMU and the network process exchange frames directly. Only a session
 * starts one: a replay, whatever its hypervisor was told, has nobody to send to. Both directions are mirrored
 * to us.
 */
export class NetworkService implements AsyncDisposable {
  readonly #options: NetworkServiceOptions;
  readonly #mirrors: readonly FrameSocket[];
  #process: NetworkProcess | undefined;
  #closing = false;

  private constructor(options: NetworkServiceOptions, mirrors: readonly FrameSocket[]) {
    this.#options = options;
    this.#mirrors = mirrors;
  }

  /** Settles when the network carries frames and they are mirrored. Throws NETWORK_UNAVAILABLE. */
  static async start(options: NetworkServiceOptions): Promise<NetworkService> {
    const cleanup = new CleanupStack();
    let service: NetworkService | undefined;
    try {
      const mirrors: FrameSocket[] = [];
      for (const direction of ['out', 'in'] as const) {
        const mirror = await listenForFrames({
          path: mirrorSocket(options.runDirectory, direction),
          onFrame: (frame) => {
            options.onFrame(frame, direction);
          },
          onLost: (error) => {
            service?.mirrorLost(error);
          },
        });
        mirrors.push(cleanup.use(mirror));
      }
      service = new NetworkService(options, mirrors);
      await service.#start();
      return service;
    } catch (error) {
      await cleanup.release();
      throw error;
    }
  }

  /** For tests that kill it. */
  get processId(): number {
    return this.#process?.processId ?? -1;
  }

  /** A process that cannot tell us what passes must not let it pass: it is ended, and started anew. */
  mirrorLost(error: Error | undefined): void {
    if (this.#closing) return;
    if (error !== undefined) this.#options.onFault({ reason: error.message, restarted: false });
    this.#process?.replace();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing = true;
    await this.#process?.[Symbol.asyncDispose]();
    for (const mirror of this.#mirrors) await mirror[Symbol.asyncDispose]();
  }

  async #start(): Promise<void> {
    const { runDirectory, onFault } = this.#options;
    const { outside } = networkSocketsIn(runDirectory);
    this.#process = await NetworkProcess.start({
      carrier: carrierArguments(runDirectory),
      ready: async () =>
        this.#mirrors.every((mirror) => mirror.connected) && (await exists(outside)),
      onFault,
    });
  }
}

function mirrorSocket(runDirectory: string, direction: Direction): string {
  return `${runDirectory}/flows-${direction}`;
}

/** A datagram socket for the guest's frames, and mirrors of what the user network gets and gives. */
function carrierArguments(runDirectory: string): string[] {
  const { guest, outside } = networkSocketsIn(runDirectory);
  const carrier = {
    type: 'dgram',
    id: 'guest',
    local: { type: 'unix', path: outside },
    remote: { type: 'unix', path: guest },
  };
  // QEMU's option lists end a value at a comma; a doubled one stands for itself.
  const socket = (direction: Direction) =>
    mirrorSocket(runDirectory, direction).replaceAll(',', ',,');
  const mirror = (direction: Direction, queue: 'rx' | 'tx') => [
    ...['-chardev', `socket,id=${direction},path=${socket(direction)}`],
    ...[
      '-object',
      `filter-mirror,id=m${direction},netdev=world,queue=${queue},outdev=${direction}`,
    ],
  ];
  return [
    ...['-netdev', JSON.stringify(carrier)],
    ...['-netdev', 'hubport,id=p2,hubid=0,netdev=guest'],
    // The queues are the user network's: it receives what the guest sends.
    ...mirror('out', 'rx'),
    ...mirror('in', 'tx'),
  ];
}

async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}
