import { rm } from 'node:fs/promises';

import type { DiskChain } from '@reprise/blkdriver-native';

import { openGuestNetwork, type GuestNetworkOptions } from '../gate/index.js';
import {
  QemuHypervisor,
  type BootFiles,
  type Hypervisor,
  type HypervisorVm,
} from '../hypervisor/index.js';
import type { Machine } from '../machine/index.js';

import { DISK_EXPORT, DiskService } from './disk-service.js';
import { createRuntimeDirectory } from './runtime-directory.js';

export interface PowerOnOptions {
  readonly machine: Machine;
  readonly boot: BootFiles | undefined;
  readonly ramFile: string;
  readonly chain: DiskChain;
  /** The device state to go on from; without it the guest powers on. */
  readonly deviceState?: string;
  readonly runDirectory: string;
  readonly gate: 'open' | 'closed';
  readonly signal?: AbortSignal;
  /** Default: QEMU as this host has it. */
  readonly hypervisor?: Hypervisor;
  readonly onDiskFault?: (fault: { lastWords: string; restarted: boolean }) => void;
  /** What the guest's NIC carries, and what went wrong with it; see GuestNetworkOptions. */
  readonly network?: Pick<GuestNetworkOptions, 'onFrame' | 'onFault' | 'deliver'>;
}

/**
 * A guest with everything that it needs around it: the disk's server and the hypervisor, started and
 * ended together. Used for the user's session and, gated, for a replay.
 */
export class PoweredVm implements AsyncDisposable {
  readonly vm: HypervisorVm;
  readonly disk: DiskService;
  readonly #network: AsyncDisposable | undefined;
  readonly #runDirectory: string;

  private constructor(
    vm: HypervisorVm,
    disk: DiskService,
    network: AsyncDisposable | undefined,
    runDirectory: string,
  ) {
    this.vm = vm;
    this.disk = disk;
    this.#network = network;
    this.#runDirectory = runDirectory;
  }

  /** Starts the disk's server and the hypervisor. The guest waits for `vm.resume()`. */
  static async start(options: PowerOnOptions): Promise<PoweredVm> {
    const { machine, boot, ramFile, chain, deviceState, runDirectory, gate, signal } = options;
    await createRuntimeDirectory(runDirectory);
    const disk = await DiskService.start({
      chain,
      socketPath: `${runDirectory}/disk`,
      ...(options.onDiskFault === undefined ? {} : { onFault: options.onDiskFault }),
    });
    let network: AsyncDisposable | undefined;
    try {
      network = await openGuestNetwork({ ...options.network, machine, gate, runDirectory });
      const vm = await (options.hypervisor ?? new QemuHypervisor()).start({
        machine,
        boot,
        ramFile,
        diskSocket: disk.socketPath,
        diskExport: DISK_EXPORT,
        runDirectory,
        gate,
        ...(deviceState === undefined ? {} : { deviceState }),
        ...(signal === undefined ? {} : { signal }),
      });
      return new PoweredVm(vm, disk, network, runDirectory);
    } catch (error) {
      await network?.[Symbol.asyncDispose]();
      await disk.discard();
      await rm(runDirectory, { recursive: true, force: true });
      throw error;
    }
  }

  /**
   * Stops the guest for good, with nothing lost: the device state goes to `deviceState`, the RAM file
   * is complete, and the overlay and its log are flushed and closed.
   */
  async suspend(deviceState: string, signal?: AbortSignal): Promise<void> {
    await this.vm.pause();
    await this.vm.saveDeviceState(deviceState, signal);
    await this.vm.quit();
    await this.#network?.[Symbol.asyncDispose]();
    await this.disk.close();
    await rm(this.#runDirectory, { recursive: true, force: true });
  }

  /** Ends everything at once; what the guest had not flushed is lost. Safe to call twice. */
  async discard(): Promise<void> {
    await this.vm.quit();
    await this.#network?.[Symbol.asyncDispose]();
    await this.disk[Symbol.asyncDispose]();
    await rm(this.#runDirectory, { recursive: true, force: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.discard();
  }
}
