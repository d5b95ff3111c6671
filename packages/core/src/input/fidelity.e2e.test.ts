import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

import { keystroke, keysym, RfbClient } from '../console/index.js';
import { NetworkedGuest } from '../gate/testing/networked-guest.js';

import { ByEvidence } from './by-evidence.js';
import type { InputEvent, InputLog, TimedInput } from './input-event.js';
import type { PacingStrategy } from './pacing.js';
import { RecordedGaps } from './recorded-gaps.js';
import { replayInput } from './replay.js';

/** The longest form, 100,000, takes most of an hour. */
const EVENTS = Number(
  process.env['REPRISE_FIDELITY_EVENTS'] ?? (process.env['REPRISE_LONG'] === '1' ? 20_000 : 250),
);
const SEED = Number(process.env['REPRISE_FIDELITY_SEED'] ?? 1);
const PRINTED_TIMEOUT_MS = 120_000;

const BEGIN = 'what was typed';
const END = 'that was it';

const LETTERS =
  'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 ,.;:!?()[]{}<>/*-+=_#%&|~^@';

/** Keys, with their releases, that a person types at some rhythm; what the guest must get is `text`. */
class Typist {
  readonly events: TimedInput[] = [];
  #atMs = 100;
  #state: number;

  constructor(seed: number) {
    this.#state = seed;
  }

  /** 0 up to `below`, from a small generator (mulberry32). */
  random(below: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % below;
  }

  type(text: string): void {
    for (const character of text) {
      const { keysym: sym, shift } = keystroke(character);
      if (shift) this.#key(keysym.ShiftLeft, true);
      this.#key(sym, true);
      this.#key(sym, false);
      if (shift) this.#key(keysym.ShiftLeft, false);
    }
  }

  control(letter: string): void {
    this.#key(keysym.ControlLeft, true);
    this.#key(keystroke(letter).keysym, true);
    this.#key(keystroke(letter).keysym, false);
    this.#key(keysym.ControlLeft, false);
  }

  pause(ms: number): void {
    this.#atMs += ms;
  }

  log(): InputLog {
    const header = { width: 720, height: 400, held: [], buttons: 0 };
    return { header, events: this.events, end: { atMs: this.#atMs } };
  }

  #key(sym: number, down: boolean): void {
    const event: InputEvent = { kind: 'key', keysym: sym, down };
    this.events.push({ atMs: this.#atMs, event });
    this.#atMs += 10 * (1 + this.random(12));
  }
}

/** Text in lines of at most 60 characters, so that no terminal drops their end. */
function someText(typist: Typist, events: number): string {
  let text = '';
  while (2.8 * text.length < events) {
    const length = 20 + typist.random(40);
    for (let i = 0; i < length; i++) text += LETTERS[typist.random(LETTERS.length)] ?? '';
    text += '\n';
  }
  return text;
}

describe('input that is replayed into a guest that counts it', () => {
  let guest: NetworkedGuest;

  beforeAll(async () => {
    guest = await NetworkedGuest.prepare();
  });

  afterAll(async () => {
    await guest[Symbol.asyncDispose]();
  });

  const strategies: PacingStrategy[] = [new ByEvidence(), new RecordedGaps()];
  const timeoutMs = 300_000 + 120 * EVENTS;

  test.each(strategies)(
    `none of some ${String(EVENTS)} events is lost, doubled or out of order: $name (seed ${String(SEED)})`,
    async (pacing) => {
      const typist = new Typist(SEED);
      typist.type('cat > typed\n');
      typist.pause(1500);
      const text = someText(typist, EVENTS);
      typist.type(text);
      typist.pause(800);
      typist.control('d');
      typist.pause(800);
      // The last word of the guest, where no screen has to be read.
      typist.type(`(echo; echo ${BEGIN}; cat typed; echo ${END}) > /dev/ttyS0\n`);
      const log = typist.log();
      expect(log.events.length).toBeGreaterThan(EVENTS);

      await guest.resumed({ gate: 'closed' }, async (powered, serialLog) => {
        await using display = await RfbClient.connect(powered.vm.display);
        const report = await replayInput({
          ...{ display, log, pacing, signal: new AbortController().signal },
          guestProgress: () => powered.vm.progress(),
          inputBacklog: async () => await powered.vm.inputBacklog?.(),
        });
        expect(report).toMatchObject({ outcome: 'complete', events: log.events.length });
        expect(await printed(serialLog)).toBe(text);
      });
    },
    timeoutMs,
  );
});

/** What the guest got, as it wrote it to its serial port. */
async function printed(serialLog: string): Promise<string | undefined> {
  const deadline = Date.now() + PRINTED_TIMEOUT_MS;
  const between = new RegExp(`^${BEGIN}\\n([^]*)^${END}$`, 'm');
  for (;;) {
    const said = (await readFile(serialLog, 'latin1').catch(() => '')).replaceAll('\r', '');
    const typed = between.exec(said)?.[1];
    if (typed !== undefined || Date.now() > deadline) return typed;
    await sleep(200);
  }
}
