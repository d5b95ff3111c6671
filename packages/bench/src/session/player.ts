import { setTimeout as sleep } from 'node:timers/promises';

import { keystroke, keysym, type KeyName, type RfbClient } from '@reprise/core';

import { SeededRandom } from './random.js';
import type { Letter, Session, Step } from './script.js';

/** A person's rhythm: medians in milliseconds; each gap is drawn around its median. */
const BETWEEN_KEYS_MS = 130;
const KEY_HELD_MS = 55;
const BEFORE_RETURN_MS = 350;
const POINTER_STEP_MS = 16;
const SPREAD = 0.35;

/** Below this share of a CPU the guest waits for its user. An idle desktop uses a few hundredths. */
const IDLE_RATE = 0.15;
const IDLE_SAMPLE_MS = 700;

export interface PlayOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onStep?: ((done: number, total: number) => void) | undefined;
  /**
   * CPU time that the guest has used, in ms. With it, settling also waits until the guest is idle: on a
   * loaded host a compiler may print nothing for as long as a finished one.
   */
  readonly guestCpuMs?: (() => Promise<number>) | undefined;
}

/** Plays a session through a viewer's connection: real RFB input with a person's timing. */
export async function playSession(
  viewer: RfbClient,
  session: Session,
  options: PlayOptions = {},
): Promise<void> {
  const hands = new Hands(viewer, new SeededRandom(session.seed), options);
  for (const [i, step] of session.steps.entries()) {
    options.signal?.throwIfAborted();
    await hands.perform(step);
    options.onStep?.(i + 1, session.steps.length);
  }
}

class Hands {
  readonly #viewer: RfbClient;
  readonly #random: SeededRandom;
  readonly #signal: AbortSignal | undefined;
  readonly #guestCpuMs: (() => Promise<number>) | undefined;
  #x = 400;
  #y = 300;

  constructor(viewer: RfbClient, random: SeededRandom, options: PlayOptions) {
    this.#viewer = viewer;
    this.#random = random;
    this.#signal = options.signal;
    this.#guestCpuMs = options.guestCpuMs;
  }

  async perform(step: Step): Promise<void> {
    switch (step.kind) {
      case 'type':
        for (const character of step.text) {
          const stroke = keystroke(character);
          await this.#stroke(stroke.keysym, stroke.shift ? [keysym.ShiftLeft] : []);
        }
        break;
      case 'key':
        if (step.key === 'Return') await this.#pause(BEFORE_RETURN_MS);
        await this.#stroke(
          symbolOf(step.key),
          (step.with ?? []).map((name) => keysym[name]),
        );
        break;
      case 'click':
        await this.#moveTo(step.x, step.y);
        for (let i = 0; i < (step.times ?? 1); i++) {
          this.#viewer.pointer(step.x, step.y, 1);
          await this.#pause(KEY_HELD_MS);
          this.#viewer.pointer(step.x, step.y, 0);
          await this.#pause(KEY_HELD_MS * 2);
        }
        break;
      case 'drag':
        for (const [i, [x, y]] of step.along.entries()) {
          await this.#moveTo(x, y, i === 0 ? 0 : 1);
          if (i === 0) this.#viewer.pointer(x, y, 1);
          await this.#pause(KEY_HELD_MS);
        }
        this.#viewer.pointer(this.#x, this.#y, 0);
        await this.#pause(BETWEEN_KEYS_MS);
        break;
      case 'think':
        await this.#pause(step.seconds * 1000);
        break;
      case 'settle':
        await this.#settle(step.stillSeconds * 1000, step.atMostSeconds * 1000);
        break;
    }
  }

  async #settle(quietMs: number, timeoutMs: number): Promise<void> {
    const deadline = performance.now() + timeoutMs;
    while (performance.now() < deadline) {
      const waiting = { quietMs, timeoutMs: deadline - performance.now() };
      if (!(await this.#viewer.waitForQuiet({ ...waiting, ...this.#wait }))) return;
      if (await this.#isIdle()) return;
    }
  }

  async #isIdle(): Promise<boolean> {
    if (this.#guestCpuMs === undefined) return true;
    const [before, startedMs] = [await this.#guestCpuMs(), performance.now()];
    await sleep(IDLE_SAMPLE_MS, undefined, this.#wait);
    const used = (await this.#guestCpuMs()) - before;
    return used / (performance.now() - startedMs) < IDLE_RATE;
  }

  async #stroke(sym: number, modifiers: readonly number[]): Promise<void> {
    for (const modifier of modifiers) {
      this.#viewer.key(modifier, true);
      await this.#pause(KEY_HELD_MS);
    }
    this.#viewer.key(sym, true);
    await this.#pause(KEY_HELD_MS);
    this.#viewer.key(sym, false);
    for (const modifier of modifiers.toReversed()) this.#viewer.key(modifier, false);
    await this.#pause(BETWEEN_KEYS_MS);
  }

  async #moveTo(x: number, y: number, buttons = 0): Promise<void> {
    const steps = 12;
    const [fromX, fromY] = [this.#x, this.#y];
    for (let i = 1; i <= steps; i++) {
      this.#x = Math.round(fromX + ((x - fromX) * i) / steps);
      this.#y = Math.round(fromY + ((y - fromY) * i) / steps);
      this.#viewer.pointer(this.#x, this.#y, buttons);
      await sleep(POINTER_STEP_MS, undefined, this.#wait);
    }
  }

  async #pause(medianMs: number): Promise<void> {
    await sleep(this.#random.logNormal(medianMs, SPREAD), undefined, this.#wait);
  }

  get #wait(): { readonly signal?: AbortSignal } {
    return this.#signal === undefined ? {} : { signal: this.#signal };
  }
}

function symbolOf(key: KeyName | Letter): number {
  return key in keysym ? keysym[key as KeyName] : keystroke(key).keysym;
}
