import { access } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

import { describeError, RepriseError } from '../errors.js';
import { networkSocketsIn } from '../hypervisor/qemu/network.js';
import { QEMU_PACKAGE, QEMU_PROGRAM } from '../hypervisor/qemu/program.js';
import { CleanupStack, findProgram, OwnedProcess } from '../process/index.js';

import { listenForFrames, type FrameSocket } from './frame-socket.js';

/** As the guest sees it: `out` leaves the guest. */
export type Direction = 'out' | 'in';

export interface NetworkServiceOptions {
  readonly runDirectory: string;
  /** Every frame that passes, in the order of its direction. It must not be kept. */
  readonly onFrame: (frame: Uint8Array, direction: Direction) => void;
  /** The network was away and came back, or stays away; either way frames may be missing from what was noted. */
  readonly onFault: (fault: NetworkFault) => void;
}

export interface NetworkFault {
  readonly reason: string;
  readonly restarted: boolean;
}

const START_TIMEOUT_MS = 60_000;
const POLL_MS = 20;
/** A network process that ends more often than this within a minute is not started again. */
const MAX_RESTARTS_PER_MINUTE = 5;

/**
 * The network of a session: QEMU's user network in a process of its own, which holds no guest. It is the
 * only thing that can reach the host's network on the guest's behalf, and only a session starts one: a
 * replay, whatever its hypervisor was told, has nobody to send to. Both directions are mirrored to us.
 */
export class NetworkService implements AsyncDisposable {
  readonly #options: NetworkServiceOptions;
  readonly #mirrors: readonly FrameSocket[];
  #process: OwnedProcess | undefined;
  #restarts: number[] = [];
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
    return this.#process?.pid ?? -1;
  }

  /** A process that cannot tell us what passes must not let it pass: it is ended, and started anew. */
  mirrorLost(error: Error | undefined): void {
    if (this.#closing) return;
    if (error !== undefined) this.#options.onFault({ reason: error.message, restarted: false });
    void this.#process?.stop();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing = true;
    await this.#process?.stop();
    for (const mirror of this.#mirrors) await mirror[Symbol.asyncDispose]();
  }

  async #start(): Promise<void> {
    const { runDirectory } = this.#options;
    const program = await findProgram(QEMU_PROGRAM, QEMU_PACKAGE);
    const owned = await OwnedProcess.start(program, networkProcessArguments(runDirectory));
    try {
      await this.#untilReady(owned);
    } catch (error) {
      await owned.stop();
      throw error;
    }
    this.#process = owned;
    void owned.exited.then((exit) => this.#ended(exit.lastWords));
    if (this.#closing) await owned.stop();
  }

  async #untilReady(owned: OwnedProcess): Promise<void> {
    const deadline = Date.now() + START_TIMEOUT_MS;
    const { outside } = networkSocketsIn(this.#options.runDirectory);
    while (!(this.#mirrors.every((mirror) => mirror.connected) && (await exists(outside)))) {
      if (!owned.running) throw unavailable((await owned.exited).lastWords);
      if (Date.now() > deadline) throw unavailable('it did not become ready in time');
      await sleep(POLL_MS);
    }
  }

  async #ended(lastWords: string): Promise<void> {
    if (this.#closing) return;
    const now = Date.now();
    this.#restarts = [...this.#restarts.filter((at) => now - at < 60_000), now];
    let restarted = false;
    let reason = lastWords === '' ? 'it ended' : lastWords;
    if (this.#restarts.length <= MAX_RESTARTS_PER_MINUTE) {
      try {
        await this.#start();
        restarted = true;
      } catch (error) {
        reason = describeError(error);
      }
    }
    this.#options.onFault({ reason, restarted });
  }
}

function mirrorSocket(runDirectory: string, direction: Direction): string {
  return `${runDirectory}/flows-${direction}`;
}

/** A QEMU without a machine: a user network, a datagram socket for the guest's frames, and a hub between them. */
function networkProcessArguments(runDirectory: string): string[] {
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
    ...['-machine', 'none', '-nodefaults', '-no-user-config', '-display', 'none'],
    ...['-name', 'reprise-network'],
    ...['-sandbox', 'on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny'],
    ...['-netdev', 'user,id=world,ipv6=off'],
    ...['-netdev', JSON.stringify(carrier)],
    ...['-netdev', 'hubport,id=p1,hubid=0,netdev=world'],
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

function unavailable(reason: string): RepriseError {
  return new RepriseError(
    'NETWORK_UNAVAILABLE',
    `The process that is the VM's network did not start: ${reason}. Run reprise doctor to see what this host lacks.`,
  );
}
