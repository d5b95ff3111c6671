import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { copyFile, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { createOverlay, DiskView, overlayBlocks } from '@reprise/blkdriver-native';
import { ensureGuest, READY_MARKER, type GuestImages } from '@reprise/guests';

import { keystroke, keysym } from '../../console/keysym.js';
import { QemuHypervisor, type QemuOptions } from '../../hypervisor/qemu/qemu.js';
import type { TimedDeviceInput, VirtualClock } from '../../hypervisor/virtual-clock.js';
import { parseMachine, type Machine } from '../../machine/index.js';
import { PoweredVm } from '../../supervisor/powered-vm.js';
import { copySparse } from '../../snapshot/index.js';
import { keyNumber } from '../key-number.js';
import { TICK_NS } from '../plugin.js';

/** Where a guest stood at the end of a run. */
export interface TrialState {
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

export interface TrialOptions {
  readonly qemu?: QemuOptions;
}

const BOOT_TIMEOUT_MS = 120_000;
const GUEST_IDLES_NS = 300_000_000;

/**
 * The tiny guest in virtual time, booted once; from there sessions are recorded and replayed as often as a
 * test likes, each on a copy of its own, and their ends compared.
 */
export class TrialGuest implements AsyncDisposable {
  readonly #directory: string;
  readonly #images: GuestImages;
  readonly #machine: Machine;
  #runs = 0;

  private constructor(directory: string, images: GuestImages, machine: Machine) {
    this.#directory = directory;
    this.#images = images;
    this.#machine = machine;
  }

  static async boot(change: Partial<Machine> = {}): Promise<TrialGuest> {
    const directory = await mkdtemp(join(tmpdir(), 'reprise-trial-'));
    try {
      const images = await ensureGuest('tiny');
      const machine = parseMachine({
        ...{ version: 1, hypervisor: 'qemu', accelerator: 'tcg', clock: 'virtual' },
        memoryMiB: images.memoryMiB,
        diskBytes: images.diskBytes,
        boot: { kind: 'direct', kernel: '0'.repeat(64), append: images.append },
        ...{ clockBase: '2026-01-01T00:00:00', seed: 1, ...change },
      });
      const guest = new TrialGuest(directory, images, machine);
      await guest.#bootAndSave();
      return guest;
    } catch (error) {
      await rm(directory, { recursive: true, force: true });
      throw error;
    }
  }

  /** Types lines at a person's pace while virtual time is paced, and records what went in when. */
  async record(lines: readonly string[], options: TrialOptions = {}): Promise<Trial> {
    const run = this.#newRun();
    await using powered = await this.#start(run, options, true);
    const clock = clockOf(powered);
    await clock.record({ tickNs: TICK_NS, paced: true });
    await powered.vm.resume();
    const events: TimedDeviceInput[] = [];
    for (const line of lines) await type(clock, line, events);
    const stopNs = await clock.stop();
    return { events, stopNs, end: await this.#end(run, powered, stopNs) };
  }

  /** Replays on a fresh copy, as fast as this host can. */
  async replay(trial: Trial, options: TrialOptions = {}): Promise<TrialState> {
    const run = this.#newRun();
    await using powered = await this.#start(run, options, true);
    const clock = clockOf(powered);
    await clock.load(trial.events);
    const ended = clock.replay(trial.stopNs);
    await powered.vm.resume();
    return await this.#end(run, powered, await ended);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#directory, { recursive: true, force: true });
  }

  #path(...names: string[]): string {
    return join(this.#directory, ...names);
  }

  #newRun(): string {
    return `run${String(++this.#runs)}`;
  }

  async #bootAndSave(): Promise<void> {
    await mkdir(this.#path('base'));
    const sizeBytes = BigInt(this.#machine.diskBytes);
    await createOverlay(this.#path('base', 'overlay'), { sizeBytes });
    await using powered = await PoweredVm.start({
      machine: this.#machine,
      boot: this.#images,
      ramFile: this.#path('base', 'ram'),
      chain: { base: this.#images.disk, layers: [], overlay: this.#path('base', 'overlay') },
      runDirectory: this.#path('r0'),
      gate: 'closed',
    });
    const clock = clockOf(powered);
    await clock.record({ tickNs: TICK_NS, paced: false });
    await powered.vm.resume();
    await this.#untilReady(clock);
    await clock.stop();
    await powered.suspend(this.#path('base', 'device'));
  }

  async #untilReady(clock: VirtualClock): Promise<void> {
    const deadline = Date.now() + BOOT_TIMEOUT_MS;
    const log = this.#path('r0', 'serial.log');
    while (!(await readFile(log, 'utf8').catch(() => '')).includes(READY_MARKER)) {
      if (Date.now() > deadline) throw new Error('the guest printed no prompt');
      await sleep(50);
    }
    const { sessionNs } = await clock.status();
    while ((await clock.status()).sessionNs < sessionNs + GUEST_IDLES_NS) await sleep(20);
  }

  async #start(run: string, { qemu = {} }: TrialOptions, resumes: boolean): Promise<PoweredVm> {
    await mkdir(this.#path(run));
    await copySparse(this.#path('base', 'ram'), this.#path(run, 'ram'), { sync: false });
    await copyFile(this.#path('base', 'device'), this.#path(run, 'resume-from'));
    const sizeBytes = BigInt(this.#machine.diskBytes);
    await createOverlay(this.#path(run, 'overlay'), { sizeBytes });
    return await PoweredVm.start({
      machine: this.#machine,
      boot: this.#images,
      ramFile: this.#path(run, 'ram'),
      chain: this.#chain(run),
      ...(resumes ? { deviceState: this.#path(run, 'resume-from') } : {}),
      runDirectory: this.#path(`r-${run}`),
      gate: 'closed',
      hypervisor: new QemuHypervisor(qemu),
    });
  }

  #chain(run: string) {
    return {
      base: this.#images.disk,
      layers: [this.#path('base', 'overlay')],
      overlay: this.#path(run, 'overlay'),
    };
  }

  async #end(run: string, powered: PoweredVm, sessionNs: number): Promise<TrialState> {
    await powered.suspend(this.#path(run, 'device'));
    const state = {
      ram: await digestFile(this.#path(run, 'ram')),
      disk: await this.#digestDisk(run),
      device: await digestFile(this.#path(run, 'device')),
      sessionNs,
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
        hash.update(String(block)).update(await view.read(block * 4096n, 4096));
      }
    }
    return hash.digest('hex');
  }
}

function clockOf({ vm }: PoweredVm): VirtualClock {
  if (vm.virtualClock === undefined) throw new Error('the guest has no virtual clock');
  return vm.virtualClock;
}

const KEY_GAP_MS = 35;

/** Types a line and Return, then waits as long as the line says after a `#`, in ms. */
async function type(clock: VirtualClock, line: string, events: TimedDeviceInput[]): Promise<void> {
  const [text = '', waitMs = '500'] = line.split(' #');
  for (const character of `${text}\n`) {
    const { keysym: sym, shift } = keystroke(character);
    const keys = [...(shift ? [keysym.ShiftLeft] : []), sym];
    const press = (pressed: number, down: boolean) =>
      put(clock, events, { kind: 'key', number: keyNumber(pressed) ?? 0, down });
    for (const key of keys) await press(key, true);
    for (const key of keys.reverse()) await press(key, false);
    await sleep(KEY_GAP_MS);
  }
  await sleep(Number(waitMs));
}

async function put(
  clock: VirtualClock,
  events: TimedDeviceInput[],
  input: TimedDeviceInput['input'],
): Promise<void> {
  events.push({ atNs: await clock.inject(input), input });
}

async function digestFile(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}
