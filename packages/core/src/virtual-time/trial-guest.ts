import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { copyFile, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { createOverlay, DiskView, overlayBlocks } from '@reprise/blkdriver-native';

import { QemuHypervisor, type QemuOptions } from '../hypervisor/qemu/qemu.js';
import {
  TICK_NS,
  type DeviceInput,
  type TimedDeviceInput,
  type VirtualClock,
  type VirtualMark,
} from '../hypervisor/virtual-clock.js';
import type { BootFiles } from '../hypervisor/index.js';
import type { Machine } from '../machine/index.js';
import { copySparse } from '../snapshot/index.js';
import { PoweredVm } from '../supervisor/powered-vm.js';

/** Where a guest stood at the end of a run: digests, and the session's time; and its marks on the way. */
export interface TrialState {
  readonly marks: readonly VirtualMark[];
  readonly ram: string;
  readonly disk: string;
  readonly device: string;
  readonly sessionNs: number;
}

/** A session as it was recorded. */
export interface Trial {
  readonly events: readonly TimedDeviceInput[];
  readonly stopNs: number;
  readonly end: TrialState;
}

export interface TrialGuestOptions {
  readonly machine: Machine;
  readonly boot: BootFiles | undefined;
  /** A raw disk image, which is only read. */
  readonly disk: string;
  /** Settles when the guest, running as fast as the host can, has come to where sessions shall begin. */
  readonly ready: (clock: VirtualClock, runDirectory: string) => Promise<void>;
  readonly signal?: AbortSignal;
  /** How its QEMU is started for every run; a run's own options come before these. */
  readonly qemu?: QemuOptions;
}

/** Plays a session: every input goes through `put`, one after the other. */
export type PlayTrial = (put: (input: DeviceInput) => Promise<void>) => Promise<void>;

const BLOCK_BYTES = 4096;
/** Shorter than a session's, as trials are. */
const MARK_EVERY_NS = 500_000_000;

/**
 * A guest in virtual time, booted once; from there sessions are recorded and replayed as often as one likes,
 * each on a copy of its own in a temporary directory, and their ends compared. For the self-test, and tests.
 */
export class TrialGuest implements AsyncDisposable {
  readonly #directory: string;
  readonly #o: TrialGuestOptions;
  #runs = 0;

  private constructor(directory: string, options: TrialGuestOptions) {
    this.#directory = directory;
    this.#o = options;
  }

  static async boot(options: TrialGuestOptions): Promise<TrialGuest> {
    const directory = await mkdtemp(join(tmpdir(), 'reprise-trial-'));
    try {
      const guest = new TrialGuest(directory, options);
      await guest.#bootAndSave();
      return guest;
    } catch (error) {
      await rm(directory, { recursive: true, force: true });
      throw error;
    }
  }

  /** Records what is played while virtual time is held back to real time. */
  async record(play: PlayTrial, qemu: QemuOptions = {}): Promise<Trial> {
    const run = this.#newRun();
    await using powered = await this.#start(run, qemu);
    const clock = clockOf(powered);
    await clock.record({ tickNs: TICK_NS, paced: true, markEveryNs: MARK_EVERY_NS });
    const marks = marksOf(clock);
    await powered.vm.resume();
    const events: TimedDeviceInput[] = [];
    await play(async (input) => {
      events.push({ atNs: await clock.inject(input), input });
    });
    const stopNs = await clock.stop();
    return { events, stopNs, end: await this.#end(run, powered, stopNs, await marks) };
  }

  /** Replays on a fresh copy, as fast as this host can. */
  async replay(trial: Trial, qemu: QemuOptions = {}): Promise<TrialState> {
    const run = this.#newRun();
    await using powered = await this.#start(run, qemu);
    const clock = clockOf(powered);
    await clock.load(trial.events);
    await clock.replay(trial.stopNs, { markEveryNs: MARK_EVERY_NS });
    const marks = marksOf(clock);
    await powered.vm.resume();
    const sessionNs = await clock.replayed(this.#o.signal);
    return await this.#end(run, powered, sessionNs, await marks);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#directory, { recursive: true, force: true });
  }

  #path(...names: string[]): string {
    return join(this.#directory, ...names);
  }

  #newRun(): string {
    return String(++this.#runs);
  }

  async #bootAndSave(): Promise<void> {
    const { machine, ready } = this.#o;
    await mkdir(this.#path('base'));
    await createOverlay(this.#path('base', 'overlay'), { sizeBytes: BigInt(machine.diskBytes) });
    await using powered = await PoweredVm.start({
      ...this.#powerOn('base'),
      hypervisor: new QemuHypervisor(this.#o.qemu ?? {}),
      chain: { base: this.#o.disk, layers: [], overlay: this.#path('base', 'overlay') },
    });
    const clock = clockOf(powered);
    await clock.record({ tickNs: TICK_NS, paced: false });
    await powered.vm.resume();
    await ready(clock, this.#path('run-base'));
    await clock.stop();
    await powered.suspend(this.#path('base', 'device'));
  }

  #powerOn(run: string) {
    const { machine, boot, signal } = this.#o;
    return {
      ...{ machine, boot, gate: 'closed' as const },
      ramFile: this.#path(run, 'ram'),
      runDirectory: this.#path(`run-${run}`),
      ...(signal === undefined ? {} : { signal }),
    };
  }

  async #start(run: string, qemu: QemuOptions): Promise<PoweredVm> {
    await mkdir(this.#path(run));
    await copySparse(this.#path('base', 'ram'), this.#path(run, 'ram'), { sync: false });
    await copyFile(this.#path('base', 'device'), this.#path(run, 'resume-from'));
    const sizeBytes = BigInt(this.#o.machine.diskBytes);
    await createOverlay(this.#path(run, 'overlay'), { sizeBytes });
    return await PoweredVm.start({
      ...this.#powerOn(run),
      chain: this.#chain(run),
      deviceState: this.#path(run, 'resume-from'),
      hypervisor: new QemuHypervisor({ ...this.#o.qemu, ...qemu }),
    });
  }

  #chain(run: string) {
    return {
      base: this.#o.disk,
      layers: [this.#path('base', 'overlay')],
      overlay: this.#path(run, 'overlay'),
    };
  }

  async #end(
    run: string,
    powered: PoweredVm,
    sessionNs: number,
    marks: readonly VirtualMark[],
  ): Promise<TrialState> {
    await powered.suspend(this.#path(run, 'device'));
    const state = {
      ram: await digestFile(this.#path(run, 'ram')),
      disk: await this.#digestDisk(run),
      device: await digestFile(this.#path(run, 'device')),
      sessionNs,
      marks,
    };
    await rm(this.#path(run), { recursive: true, force: true });
    return state;
  }

  /** What the run wrote, and where. */
  async #digestDisk(run: string): Promise<string> {
    const { base, layers, overlay } = this.#chain(run);
    const blocks = await overlayBlocks([overlay]);
    await using view = await DiskView.open({ base, layers: [...layers, overlay] });
    const hash = createHash('sha256');
    for (let i = 0; i < blocks.length; i += 2) {
      for (let block = blocks[i] ?? 0n, left = blocks[i + 1] ?? 0n; left > 0n; left--, block++) {
        hash
          .update(String(block))
          .update(await view.read(block * BigInt(BLOCK_BYTES), BLOCK_BYTES));
      }
    }
    return hash.digest('hex');
  }
}

/** All marks of a session or a replay; settles when it is over. */
async function marksOf(clock: VirtualClock): Promise<VirtualMark[]> {
  const marks: VirtualMark[] = [];
  for (;;) {
    // What ends the connection ends the run, too, and is told by that.
    const mark = await clock.nextMark().catch(() => undefined);
    if (mark === undefined) return marks;
    marks.push(mark);
  }
}

function clockOf({ vm }: PoweredVm): VirtualClock {
  if (vm.virtualClock === undefined) throw new Error('the guest has no virtual clock');
  return vm.virtualClock;
}

async function digestFile(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}
