import { setTimeout as sleep } from 'node:timers/promises';

import {
  bootFilesOf,
  keystroke,
  keysym,
  PoweredVm,
  RfbClient,
  runtimeDirectory,
  type Frame,
  type PowerOnOptions,
  type SnapshotStore,
} from '@reprise/core';

import { sameIn, tilesThatDiffer, type Tile } from './screen.js';
import type { FidelitySession, FileCheck } from './sessions.js';

/** A guest that was stopped, with all that is needed to let it go on. It is used up. */
export interface StoppedGuest {
  readonly store: SnapshotStore;
  readonly vm: string;
  readonly state: Pick<PowerOnOptions, 'ramFile' | 'chain'> & { readonly deviceState: string };
  readonly signal: AbortSignal;
}

/** What the session's guest showed: its last screen, and the answer to each check. */
export interface Expected {
  readonly lastScreen: Frame;
  readonly answers: readonly Answer[];
}

interface Answer {
  readonly check: FileCheck;
  readonly screen: Frame;
  /** Where the command and its answer stand. */
  readonly tiles: readonly Tile[];
}

export interface Found {
  readonly lastScreen: Frame;
  /** Checks with another answer than in the session's guest. */
  readonly otherFiles: readonly string[];
}

/** How long an answer may take, on a loaded host too. */
const ANSWER_TIMEOUT_MS = 120_000;
const STILL_MS = 1200;
const LOOK_MS = 500;
/** Below this share of a CPU the guest has nothing to do. */
const IDLE_RATE = 0.15;
const TAKEN_TIMEOUT_MS = 10_000;

/** Asks the guest in which the session took place. What it shows is what a replay's guest must show. */
export async function askTheOriginal(
  guest: StoppedGuest,
  subject: FidelitySession,
): Promise<Expected> {
  return await resumed(guest, async (asked) => {
    const lastScreen = await asked.rest();
    const answers: Answer[] = [];
    await asked.focus(subject);
    for (const check of subject.files) {
      await asked.type('cd; clear');
      const before = await asked.rest();
      await asked.type(check.command);
      const screen = await asked.rest();
      const tiles = tilesThatDiffer(before, screen) ?? [];
      if (tiles.length === 0) throw new Error(`The guest did not answer '${check.command}'.`);
      answers.push({ check, screen, tiles });
    }
    return { lastScreen, answers };
  });
}

/** Asks a replayed guest the same, and compares. The guest computes the digests itself: it reads as its user would. */
export async function askTheReplayed(
  guest: StoppedGuest,
  subject: FidelitySession,
  expected: Expected,
): Promise<Found> {
  return await resumed(guest, async (asked) => {
    const lastScreen = await asked.rest();
    const otherFiles: string[] = [];
    await asked.focus(subject);
    for (const { check, screen, tiles } of expected.answers) {
      await asked.type('cd; clear');
      await asked.rest();
      await asked.type(check.command);
      if (!sameIn(tiles, screen, await asked.rest())) otherFiles.push(check.what);
    }
    return { lastScreen, otherFiles };
  });
}

async function resumed<T>(
  { store, vm, state, signal }: StoppedGuest,
  work: (guest: AskedGuest) => Promise<T>,
): Promise<T> {
  const machine = await store.machine(vm);
  await using powered = await PoweredVm.start({
    ...{ ...state, machine, gate: 'closed', signal },
    boot: await bootFilesOf(store, machine),
    runDirectory: runtimeDirectory(store.home, `${vm}\0inspection`),
  });
  await using display = await RfbClient.connect(powered.vm.display, { signal });
  await powered.vm.resume();
  return await work(new AskedGuest(powered, display, signal));
}

/** A guest that runs again, for somebody who asks it things at its prompt. */
class AskedGuest {
  readonly #powered: PoweredVm;
  readonly #display: RfbClient;
  readonly #signal: AbortSignal;

  constructor(powered: PoweredVm, display: RfbClient, signal: AbortSignal) {
    this.#powered = powered;
    this.#display = display;
    this.#signal = signal;
  }

  /** The screen, once it is still and the guest has nothing to do. */
  async rest(): Promise<Frame> {
    const deadline = performance.now() + ANSWER_TIMEOUT_MS;
    for (;;) {
      const timeoutMs = Math.max(1, deadline - performance.now());
      const signal = this.#signal;
      await this.#display.refresh({ timeoutMs, signal });
      const still = await this.#display.waitForQuiet({ quietMs: STILL_MS, timeoutMs, signal });
      if (performance.now() > deadline || (still && (await this.#isIdle()))) break;
    }
    return await this.#display.screenshot({ timeoutMs: ANSWER_TIMEOUT_MS, signal: this.#signal });
  }

  async focus({ prompt }: FidelitySession): Promise<void> {
    if (prompt === undefined) return;
    if (prompt.covered) {
      this.#display.key(keysym.ControlLeft, true);
      this.#display.press(keystroke('q').keysym);
      this.#display.key(keysym.ControlLeft, false);
      await this.rest();
    }
    for (const buttons of [0, 1, 0]) {
      this.#display.pointer(prompt.x, prompt.y, buttons);
      await sleep(200, undefined, { signal: this.#signal });
    }
  }

  /** Types a line, each key when the guest has taken the one before. */
  async type(line: string): Promise<void> {
    for (const character of `${line}\n`) {
      await this.#display.type(character, { gapMs: 25, signal: this.#signal });
      const deadline = performance.now() + TAKEN_TIMEOUT_MS;
      while (((await this.#powered.vm.inputBacklog?.()) ?? 0) > 0 && performance.now() < deadline)
        await sleep(5);
    }
  }

  async #isIdle(): Promise<boolean> {
    const [before, startedMs] = [await this.#powered.vm.progress(), performance.now()];
    await sleep(LOOK_MS, undefined, { signal: this.#signal });
    const now = await this.#powered.vm.progress();
    const wanted = now.cpuMs - before.cpuMs + (now.starvedMs ?? 0) - (before.starvedMs ?? 0);
    return wanted / (performance.now() - startedMs) < IDLE_RATE;
  }
}
