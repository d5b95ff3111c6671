import { setTimeout as sleep } from 'node:timers/promises';

import { describeError, RepriseError } from '../errors.js';
import { QEMU_PACKAGE, QEMU_PROGRAM } from '../hypervisor/qemu/program.js';
import { findProgram, OwnedProcess } from '../process/index.js';

export interface NetworkProcessOptions {
  /** What it carries the guest's frames by; the user network is added. Its side of them is named `guest`. */
  readonly carrier: readonly string[];
  /** Whether it has connected to everything that it carries frames by. */
  readonly ready: () => Promise<boolean>;
  /** It was away and came back, or stays away; either way frames may have passed unseen, or been lost. */
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
 * QEMU's user network in a process that holds no guest: the only thing that can reach the host's network on
 * the guest's behalf. It is started again when it ends.
 */
export class NetworkProcess implements AsyncDisposable {
  readonly #options: NetworkProcessOptions;
  #process: OwnedProcess | undefined;
  #restarts: number[] = [];
  #closing = false;

  private constructor(options: NetworkProcessOptions) {
    this.#options = options;
  }

  /** Settles when it carries frames. Throws NETWORK_UNAVAILABLE. */
  static async start(options: NetworkProcessOptions): Promise<NetworkProcess> {
    const network = new NetworkProcess(options);
    await network.#start();
    return network;
  }

  /** For tests that kill it. */
  get processId(): number {
    return this.#process?.pid ?? -1;
  }

  /** Ends it, to be started anew: what it is connected to cannot be trusted any more. */
  replace(): void {
    if (!this.#closing) void this.#process?.stop();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing = true;
    await this.#process?.stop();
  }

  async #start(): Promise<void> {
    const program = await findProgram(QEMU_PROGRAM, QEMU_PACKAGE);
    const owned = await OwnedProcess.start(program, [...withUserNetwork, ...this.#options.carrier]);
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
    while (!(await this.#options.ready())) {
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

/** A QEMU without a machine, and a hub between the user network and what carries the guest's frames. */
const withUserNetwork = [
  ...['-machine', 'none', '-nodefaults', '-no-user-config', '-display', 'none'],
  ...['-name', 'reprise-network'],
  ...['-sandbox', 'on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny'],
  ...['-netdev', 'user,id=world,ipv6=off'],
  ...['-netdev', 'hubport,id=p1,hubid=0,netdev=world'],
];

function unavailable(reason: string): RepriseError {
  return new RepriseError(
    'NETWORK_UNAVAILABLE',
    `The process that is the VM's network did not start: ${reason}. Run reprise doctor to see what this host lacks.`,
  );
}
