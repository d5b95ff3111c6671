import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { ensureGuest, untilReady } from '@reprise/guests';

import { RfbClient } from '../../console/index.js';
import { parseMachine } from '../../machine/index.js';
import { openStore, type SnapshotStore } from '../../snapshot/index.js';
import {
  bootFilesOf,
  PoweredVm,
  runtimeDirectory,
  type PowerOnOptions,
} from '../../supervisor/index.js';

const NAME = 'tiny';
const BOOT_TIMEOUT_MS = 300_000;

type RunOptions = Pick<PowerOnOptions, 'gate' | 'network' | 'hypervisor'>;

/** The tiny guest with a NIC in a store of its own, to be run with the gate open and closed. */
export class NetworkedGuest implements AsyncDisposable {
  readonly store: SnapshotStore;
  readonly home: string;
  root = '';

  private constructor(home: string, store: SnapshotStore) {
    this.home = home;
    this.store = store;
  }

  /** Boots the guest, and suspends it at its prompt: the snapshot that every later run starts from. */
  static async prepare(): Promise<NetworkedGuest> {
    const home = await mkdtemp(join(tmpdir(), 'reprise-networked-'));
    const guest = new NetworkedGuest(home, await openStore({ home }));
    try {
      await guest.#import();
      const copy = await guest.store.createWorkingCopy(NAME);
      await using powered = await guest.#power({ gate: 'open' }, undefined);
      await powered.vm.resume();
      const serialLog = join(runtimeDirectory(home, NAME), 'serial.log');
      await untilReady(serialLog, { timeoutMs: BOOT_TIMEOUT_MS });
      // The prompt comes just after the marker.
      await sleep(1_000);
      await powered.suspend(copy.paths.device);
      guest.root = (await guest.store.commitWorkingCopy(NAME)).root;
      return guest;
    } catch (error) {
      await guest[Symbol.asyncDispose]();
      throw error;
    }
  }

  /**
   * Runs the guest again from its snapshot, types each line, and waits for `until`. What came of it is
   * thrown away.
   */
  async run(lines: readonly string[], options: RunOptions, until: () => boolean): Promise<void> {
    await this.resumed(options, async (powered) => {
      await using display = await RfbClient.connect(powered.vm.display);
      for (const line of lines) {
        await display.type(`${line}\n`, { gapMs: 40 });
        await display.waitForQuiet({ quietMs: 1_500, timeoutMs: 60_000 });
      }
      const deadline = Date.now() + BOOT_TIMEOUT_MS;
      while (!until() && Date.now() < deadline) await sleep(100);
    });
  }

  /** Runs the guest again from its snapshot for as long as `work` takes. */
  async resumed(
    options: RunOptions,
    work: (powered: PoweredVm, serialLog: string) => Promise<void>,
  ): Promise<void> {
    const scratch = 'run';
    await this.store.createWorkingCopy(NAME, { from: this.root, scratch });
    try {
      await using powered = await this.#power(options, scratch);
      await powered.vm.resume();
      await work(powered, join(runtimeDirectory(this.home, NAME), 'serial.log'));
    } finally {
      await this.store.discardWorkingCopy(NAME, scratch);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.store.close();
    await rm(this.home, { recursive: true, force: true });
  }

  async #import(): Promise<void> {
    const images = await ensureGuest('tiny');
    const [kernel, initrd] = [
      await this.store.putBootFile(images.kernel),
      await this.store.putBootFile(images.initrd),
    ];
    const machine = parseMachine({
      version: 1,
      hypervisor: 'qemu',
      accelerator: 'tcg',
      memoryMiB: images.memoryMiB,
      diskBytes: images.diskBytes,
      boot: {
        kind: 'direct',
        kernel: kernel.sha256,
        initrd: initrd.sha256,
        append: images.append,
      },
      clockBase: '2026-01-01T00:00:00',
      seed: 1,
      network: 'user',
    });
    await this.store.createVm({ name: NAME, machine, disk: images.disk });
  }

  async #power(options: RunOptions, scratch: string | undefined): Promise<PoweredVm> {
    const machine = await this.store.machine(NAME);
    const copy = await this.store.workingCopy(NAME, scratch);
    if (copy === undefined) throw new Error('the guest has no working copy');
    const { resumeFrom, ram } = copy.paths;
    return await PoweredVm.start({
      ...options,
      machine,
      boot: await bootFilesOf(this.store, machine),
      ramFile: ram,
      chain: copy.disk,
      ...(resumeFrom === undefined ? {} : { deviceState: resumeFrom }),
      runDirectory: runtimeDirectory(this.home, NAME),
    });
  }
}
