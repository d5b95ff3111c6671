import { open } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

import { RepriseError, throwIfCancelled } from '../../errors.js';
import type { Machine } from '../../machine/index.js';
import { CleanupStack, findProgram, OwnedProcess } from '../../process/index.js';
import type {
  ExitReport,
  GuestProgress,
  Hypervisor,
  HypervisorVm,
  SqueezeReport,
  StartOptions,
} from '../port.js';
import type { VirtualClock } from '../virtual-clock.js';

import { qemuArguments, socketsIn, virtualClockArguments } from './arguments.js';
import { squeezeGuest } from './balloon.js';
import { canonicalizeDeviceState } from './canonical-device-state.js';
import { ClockClient } from './clock-client.js';
import { withoutHostNetwork } from './confinement.js';
import { loadDeviceState, saveDeviceState } from './device-state.js';
import { InputQueues } from './input-queues.js';
import { assertClosed } from './network.js';
import { cpuTimes, diskRequests } from './progress.js';
import { QEMU_PACKAGE, QEMU_PROGRAM } from './program.js';
import { QmpClient } from './qmp.js';
import { QemuVirtualClock } from './qemu-virtual-clock.js';
import { vclockPlugin } from './vclock-plugin.js';

const CONTROL_TIMEOUT_MS = 60_000;
const QUIT_TIMEOUT_MS = 10_000;
const GATE_TIMEOUT_MS = 5_000;
const GATE_POLL_MS = 20;

export interface QemuOptions {
  /** For tests that take a rule away: the last word on QEMU's arguments. */
  readonly rewriteArguments?: (args: readonly string[]) => string[];
  /** For such tests too: how often a network card announces itself after a resume. Default 0: never. */
  readonly announceRounds?: number;
}

/** Stock QEMU: RAM in a shared file, device state by migration, the disk over NBD. */
export class QemuHypervisor implements Hypervisor {
  readonly name = 'qemu';
  readonly #options: QemuOptions;

  constructor(options: QemuOptions = {}) {
    this.#options = options;
  }

  async start(options: StartOptions): Promise<HypervisorVm> {
    throwIfCancelled(options.signal);
    const program = await findProgram(QEMU_PROGRAM, QEMU_PACKAGE);
    await ensureRamFile(options.ramFile, options.machine.memoryMiB * 1024 * 1024);
    const command = await withoutHostNetwork(program, await this.#arguments(options));
    const owned = await OwnedProcess.start(command.program, command.args);
    const cleanup = new CleanupStack();
    cleanup.use(owned);
    try {
      const qmp = await Promise.race([
        QmpClient.connect(socketsIn(options.runDirectory).control, {
          timeoutMs: CONTROL_TIMEOUT_MS,
          ...(options.signal === undefined ? {} : { signal: options.signal }),
        }),
        owned.exited.then((exit) => {
          throw startFailure(exit);
        }),
      ]);
      const clock =
        options.machine.clock === 'virtual' ? cleanup.use(await connectClock(options)) : undefined;
      const announceRounds = this.#options.announceRounds ?? 0;
      const vm = new QemuVm(owned, qmp, clock, { ...options, announceRounds });
      if (options.gate === 'closed') await vm.assertClosed();
      if (options.deviceState !== undefined) await vm.load(options.deviceState, options.signal);
      cleanup.keep();
      return vm;
    } catch (error) {
      await cleanup.release();
      throw error;
    }
  }

  async #arguments(options: StartOptions): Promise<string[]> {
    const args = [
      ...qemuArguments(options),
      ...(options.machine.clock === 'virtual'
        ? virtualClockArguments(options.runDirectory, await vclockPlugin())
        : []),
    ];
    return this.#options.rewriteArguments?.(args) ?? args;
  }
}

async function connectClock({ runDirectory, signal }: StartOptions): Promise<ClockClient> {
  return await ClockClient.connect(socketsIn(runDirectory).virtualClock, {
    timeoutMs: CONTROL_TIMEOUT_MS,
    ...(signal === undefined ? {} : { signal }),
  });
}

class QemuVm implements HypervisorVm {
  readonly display: string;
  readonly exited: Promise<ExitReport>;
  readonly #owned: OwnedProcess;
  readonly #qmp: QmpClient;
  readonly #runDirectory: string;
  readonly #machine: Machine;
  readonly #announceRounds: number;
  readonly #clockClient: ClockClient | undefined;
  readonly virtualClock?: VirtualClock;
  readonly #inputQueues: InputQueues;
  #vcpuThreads: readonly number[] | undefined;

  constructor(
    owned: OwnedProcess,
    qmp: QmpClient,
    clock: ClockClient | undefined,
    options: { runDirectory: string; machine: Machine; announceRounds: number },
  ) {
    this.#owned = owned;
    this.#qmp = qmp;
    this.#inputQueues = new InputQueues(qmp);
    this.#runDirectory = options.runDirectory;
    this.#machine = options.machine;
    this.#announceRounds = options.announceRounds;
    this.#clockClient = clock;
    this.display = socketsIn(options.runDirectory).display;
    this.exited = owned.exited;
    if (clock !== undefined) {
      // The plugin says that the guest was told to stop; QEMU's word is that it stands.
      this.virtualClock = new QemuVirtualClock(clock, () => this.#waitForStatus(['paused']));
    }
  }

  get processId(): number {
    return this.#owned.pid;
  }

  async load(file: string, signal?: AbortSignal): Promise<void> {
    const socket = `${this.#runDirectory}/incoming`;
    const announceRounds = this.#announceRounds;
    await this.#orGone(loadDeviceState(this.#qmp, socket, file, { signal, announceRounds }));
    // One that its disk had stopped arrives so, and goes on like the others.
    await this.#waitForStatus(['paused', 'prelaunch', 'io-error']);
  }

  /** Asked before the guest runs its first instruction: whatever gave it a network, it is found here. */
  async assertClosed(): Promise<void> {
    const command = { 'command-line': 'info network' };
    const deadline = Date.now() + GATE_TIMEOUT_MS;
    for (;;) {
      const said = await this.#orGone(this.#qmp.execute('human-monitor-command', command));
      try {
        assertClosed(String(said), { runDirectory: this.#runDirectory, machine: this.#machine });
        return;
      } catch (error) {
        // QEMU connects to our socket in its own time, and has no name for it until it has.
        if (Date.now() > deadline) throw error;
        await sleep(GATE_POLL_MS);
      }
    }
  }

  async resume(): Promise<void> {
    await this.#orGone(this.#qmp.execute('cont'));
  }

  async pause(): Promise<void> {
    await this.#orGone(this.#qmp.execute('stop'));
  }

  async saveDeviceState(file: string, signal?: AbortSignal): Promise<void> {
    const socket = `${this.#runDirectory}/outgoing`;
    const announceRounds = this.#announceRounds;
    await this.#orGone(saveDeviceState(this.#qmp, socket, file, { signal, announceRounds }));
    await canonicalizeDeviceState(file, this.#machine.clock);
  }

  async squeeze(signal?: AbortSignal): Promise<SqueezeReport> {
    const { balloon, memoryMiB, clock } = this.#machine;
    if (clock === 'virtual') {
      throw new RepriseError(
        'VIRTUAL_TIME_REFUSED',
        "A balloon moves at an instant of the host's, so it is left alone in a guest in virtual time. Use a machine with the host's clock where memory has to be handed back.",
      );
    }
    if (!balloon) return { freedBytes: 0, because: 'the machine has no balloon' };
    return await this.#orGone(squeezeGuest(this.#qmp, memoryMiB * 1024 * 1024, signal));
  }

  async screenshot(file: string): Promise<void> {
    await this.#orGone(this.#qmp.execute('screendump', { filename: file, format: 'png' }));
  }

  async progress(): Promise<GuestProgress> {
    this.#vcpuThreads ??= await this.#vcpus();
    const times = await cpuTimes(this.processId, this.#vcpuThreads);
    // A QEMU that is busy with something else still has used its CPU time.
    const requests = await diskRequests(this.#qmp).catch(() => undefined);
    return { ...times, ...(requests === undefined ? {} : { diskRequests: requests }) };
  }

  async inputBacklog(): Promise<number | undefined> {
    return await this.#orGone(this.#inputQueues.backlog());
  }

  async stoppedByDisk(): Promise<boolean> {
    return (await this.#runState()) === 'io-error';
  }

  async quit(): Promise<void> {
    if (!this.#owned.running) return;
    this.#clockClient?.close();
    await this.#qmp.execute('quit', {}, { timeoutMs: QUIT_TIMEOUT_MS }).catch(() => undefined);
    await this.#owned.endsWithin(QUIT_TIMEOUT_MS);
    await this.#owned.stop();
    await this.#qmp[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.quit();
  }

  async #vcpus(): Promise<number[]> {
    const cpus = (await this.#orGone(this.#qmp.execute('query-cpus-fast'))) as {
      'thread-id': number;
    }[];
    return cpus.map((cpu) => cpu['thread-id']);
  }

  async #runState(): Promise<string> {
    const reply = await this.#orGone(this.#qmp.execute('query-status'));
    return (reply as { status: string }).status;
  }

  async #waitForStatus(wanted: readonly string[]): Promise<void> {
    const deadline = Date.now() + CONTROL_TIMEOUT_MS;
    for (;;) {
      const status = await this.#runState();
      if (wanted.includes(status)) return;
      if (Date.now() > deadline) {
        throw new RepriseError(
          'RESUME_FAILED',
          `QEMU stays in the state '${status}' after loading the device state. Look at the log of the VM, then try again.`,
        );
      }
      await sleep(10);
    }
  }

  /** Gives a failure its cause: a command fails without one when the process has died under it. */
  async #orGone<T>(work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (error) {
      if (!(error instanceof RepriseError) || error.code !== 'HYPERVISOR_GONE') throw error;
      const exit = await this.exited;
      throw new RepriseError(
        'HYPERVISOR_GONE',
        `QEMU ended (${describeExit(exit)}). Start the VM again from its last snapshot.`,
        { cause: error, context: { ...exit } },
      );
    }
  }
}

async function ensureRamFile(path: string, sizeBytes: number): Promise<void> {
  const handle = await open(path, 'a', 0o600);
  try {
    const { size } = await handle.stat();
    if (size === 0) await handle.truncate(sizeBytes);
    else if (size !== sizeBytes) {
      throw new RepriseError(
        'HYPERVISOR_START_FAILED',
        `The RAM file has ${String(size)} bytes where the machine has ${String(sizeBytes)}. Run reprise verify on this VM.`,
        { context: { path, size, sizeBytes } },
      );
    }
  } finally {
    await handle.close();
  }
}

function startFailure(exit: ExitReport): RepriseError {
  return new RepriseError(
    'HYPERVISOR_START_FAILED',
    `QEMU did not start (${describeExit(exit)}). Run reprise doctor to see what this host lacks.`,
    { context: { ...exit } },
  );
}

function describeExit(exit: ExitReport): string {
  const how = exit.signal === null ? `exit code ${String(exit.code)}` : `signal ${exit.signal}`;
  return exit.lastWords === '' ? how : `${how}: ${exit.lastWords}`;
}
