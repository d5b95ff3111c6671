import { open, readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

import { RepriseError, throwIfCancelled } from '../../errors.js';
import type { Machine } from '../../machine/index.js';
import { findProgram, OwnedProcess } from '../../process/index.js';
import type {
  ExitReport,
  GuestProgress,
  Hypervisor,
  HypervisorVm,
  SqueezeReport,
  StartOptions,
} from '../port.js';

import { qemuArguments, socketsIn } from './arguments.js';
import { squeezeGuest } from './balloon.js';
import { withoutHostNetwork } from './confinement.js';
import { loadDeviceState, saveDeviceState } from './device-state.js';
import { assertClosed } from './network.js';
import { QmpClient } from './qmp.js';

export const QEMU_PROGRAM = 'qemu-system-x86_64';
export const QEMU_PACKAGE = 'qemu-system-x86';

const CONTROL_TIMEOUT_MS = 60_000;
const QUIT_TIMEOUT_MS = 10_000;
/** The kernel counts process times in ticks of 10 ms. */
const MS_PER_TICK = 10;

/** Stock QEMU: RAM in a shared file, device state by migration, the disk over NBD. */
export class QemuHypervisor implements Hypervisor {
  readonly name = 'qemu';

  async start(options: StartOptions): Promise<HypervisorVm> {
    throwIfCancelled(options.signal);
    const program = await findProgram(QEMU_PROGRAM, QEMU_PACKAGE);
    await ensureRamFile(options.ramFile, options.machine.memoryMiB * 1024 * 1024);
    const command = await withoutHostNetwork(program, qemuArguments(options));
    const owned = await OwnedProcess.start(command.program, command.args);
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
      const vm = new QemuVm(owned, qmp, options.runDirectory, options.machine);
      if (options.gate === 'closed') await vm.assertClosed();
      if (options.deviceState !== undefined) await vm.load(options.deviceState, options.signal);
      return vm;
    } catch (error) {
      await owned.stop();
      throw error;
    }
  }
}

class QemuVm implements HypervisorVm {
  readonly display: string;
  readonly exited: Promise<ExitReport>;
  readonly #owned: OwnedProcess;
  readonly #qmp: QmpClient;
  readonly #runDirectory: string;
  readonly #machine: Machine;
  #vcpuThreads: readonly number[] | undefined;

  constructor(owned: OwnedProcess, qmp: QmpClient, runDirectory: string, machine: Machine) {
    this.#owned = owned;
    this.#qmp = qmp;
    this.#runDirectory = runDirectory;
    this.#machine = machine;
    this.display = socketsIn(runDirectory).display;
    this.exited = owned.exited;
  }

  get processId(): number {
    return this.#owned.pid;
  }

  async load(file: string, signal?: AbortSignal): Promise<void> {
    await this.#orGone(loadDeviceState(this.#qmp, `${this.#runDirectory}/incoming`, file, signal));
    await this.#waitForStatus(['paused', 'prelaunch']);
  }

  /** Asked before the guest runs its first instruction: whatever gave it a network, it is found here. */
  async assertClosed(): Promise<void> {
    const command = { 'command-line': 'info network' };
    const said = await this.#orGone(this.#qmp.execute('human-monitor-command', command));
    assertClosed(String(said), this.#runDirectory);
  }

  async resume(): Promise<void> {
    await this.#orGone(this.#qmp.execute('cont'));
  }

  async pause(): Promise<void> {
    await this.#orGone(this.#qmp.execute('stop'));
  }

  async saveDeviceState(file: string, signal?: AbortSignal): Promise<void> {
    await this.#orGone(saveDeviceState(this.#qmp, `${this.#runDirectory}/outgoing`, file, signal));
  }

  async squeeze(signal?: AbortSignal): Promise<SqueezeReport> {
    const { balloon, memoryMiB } = this.#machine;
    if (!balloon) return { freedBytes: 0, because: 'the machine has no balloon' };
    return await this.#orGone(squeezeGuest(this.#qmp, memoryMiB * 1024 * 1024, signal));
  }

  async screenshot(file: string): Promise<void> {
    await this.#orGone(this.#qmp.execute('screendump', { filename: file, format: 'png' }));
  }

  async progress(): Promise<GuestProgress> {
    this.#vcpuThreads ??= await this.#vcpus();
    let ticks = 0;
    for (const thread of this.#vcpuThreads) {
      ticks += await cpuTicks(`/proc/${String(this.processId)}/task/${String(thread)}/stat`);
    }
    return { cpuMs: ticks * MS_PER_TICK };
  }

  async quit(): Promise<void> {
    if (!this.#owned.running) return;
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

  async #waitForStatus(wanted: readonly string[]): Promise<void> {
    const deadline = Date.now() + CONTROL_TIMEOUT_MS;
    for (;;) {
      const { status } = (await this.#orGone(this.#qmp.execute('query-status'))) as {
        status: string;
      };
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

/** User and system time of a thread, from fields 14 and 15 of its stat line. */
async function cpuTicks(statPath: string): Promise<number> {
  const line = await readFile(statPath, 'latin1');
  const fields = line.slice(line.lastIndexOf(')') + 2).split(' ');
  return Number(fields[11]) + Number(fields[12]);
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
