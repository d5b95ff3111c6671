import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

import { keystroke, keysym, openConsoleProxy, RfbClient } from '../console/index.js';
import { NetworkedGuest } from '../gate/testing/networked-guest.js';
import type { PoweredVm } from '../supervisor/index.js';

import { ByEvidence } from './by-evidence.js';
import type { InputEvent, InputLog, PointerInput, TimedInput } from './input-event.js';
import type { PacingStrategy } from './pacing.js';
import { packInputLog, unpackInputLog } from './packed-log.js';
import { RecordedGaps } from './recorded-gaps.js';
import { replayInput } from './replay.js';
import { Tape } from './testing/tape.js';

/** Of each test, keys and pointer together. The longest form, 100,000, takes most of an hour a test. */
const EVENTS = Number(
  process.env['REPRISE_FIDELITY_EVENTS'] ?? (process.env['REPRISE_LONG'] === '1' ? 20_000 : 250),
);
const SEED = Number(process.env['REPRISE_FIDELITY_SEED'] ?? 1);
/** Busy loops beside the guest. */
const BURNERS = Number(process.env['REPRISE_FIDELITY_BURNERS'] ?? 0);
const PRINTED_TIMEOUT_MS = 120_000 + 10 * EVENTS;

const SCREEN = { width: 720, height: 400 };
const BEGIN = 'what was typed';
const MIDDLE = 'where the pointer was';
const END = 'that was it';

/** The guest keeps what its tablet tells: type, code and value of every event. */
const WATCH =
  't=$(grep -l Tablet /sys/class/input/event*/device/name); t=${t#/sys/class/input/}\n' +
  'cat /dev/input/${t%/device/name} > mouse &\n';
/** The last word of the guest, where no screen has to be read. */
const SAY =
  `(echo; echo ${BEGIN}; cat typed; echo ${MIDDLE}; ` +
  `hexdump -v -e '24/1 "%02x" "\\n"' mouse | cut -c33-; echo ${END}) > /dev/ttyS0\n`;

const LETTERS =
  'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 ,.;:!?()[]{}<>/*-+=_#%&|~^@';

/** Keys, with their releases, that a person types at some rhythm; what the guest must get is `text`. */
class Typist {
  readonly events: TimedInput[] = [];
  #atMs = 100;
  #state: number;
  /** Between two events, at most. */
  pauseMs = 120;
  #pointer: PointerInput = { kind: 'pointer', x: 0, y: 0, buttons: 0 };

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

  /** As a viewer sends it that has its own idea of Shift and Caps Lock. */
  letter(sym: number): void {
    this.#key(sym, true);
    this.#key(sym, false);
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

  /** To another place than before, now and then with a button. */
  point(): PointerInput {
    const { x, buttons } = this.#pointer;
    this.#pointer = {
      kind: 'pointer',
      x: (x + 1 + this.random(200)) % 300,
      y: this.random(200),
      buttons: buttons === 0 && this.random(4) === 0 ? 1 : 0,
    };
    this.#put(this.#pointer);
    return this.#pointer;
  }

  log(): InputLog {
    const header = { ...SCREEN, held: [], buttons: 0 };
    return { header, events: this.events, end: { atMs: this.#atMs } };
  }

  #key(sym: number, down: boolean): void {
    this.#put({ kind: 'key', keysym: sym, down });
  }

  #put(event: InputEvent): void {
    this.events.push({ atMs: this.#atMs, event });
    this.#atMs += 10 * (1 + this.random(this.pauseMs / 10));
  }
}

/** What the guest is to get. */
interface Work {
  readonly log: InputLog;
  readonly text: string;
  readonly places: readonly string[];
}

function place({ x, y, buttons }: Pick<PointerInput, 'x' | 'y' | 'buttons'>): string {
  return `${String(x)},${String(y)},${String(buttons)}`;
}

/** Some lines of text, of at most 60 characters, so that no terminal drops their end; the pointer moves meanwhile. */
function someWork(): Work {
  const typist = new Typist(SEED);
  typist.pauseMs = 10;
  typist.type(WATCH);
  typist.pause(1500);
  typist.type('cat > typed\n');
  typist.pause(1500);
  const places: string[] = [];
  let text = '';
  const type = (letters: string): void => {
    typist.type(letters);
    text += letters;
  };
  typist.pauseMs = 120;
  // A sign in the other case than Shift says: no key that the log does not name may go in for that.
  typist.letter(0x41);
  typist.letter(0x61);
  text += 'aa\n';
  typist.type('\n');
  const before = typist.events.length;
  while (typist.events.length - before < EVENTS) {
    const length = 20 + typist.random(40);
    for (let i = 0; i < length; i++) {
      type(LETTERS[typist.random(LETTERS.length)] ?? '');
      if (typist.random(4) === 0) places.push(place(typist.point()));
    }
    type('\n');
  }
  typist.pause(800);
  typist.control('d');
  typist.pause(800);
  typist.pauseMs = 10;
  typist.type(SAY);
  return { log: typist.log(), text, places };
}

describe('input that goes into a guest that counts it', () => {
  const timeoutMs = 300_000 + 300 * EVENTS;
  const work = someWork();
  const { log: _typed, ...got } = work;
  const burners: ChildProcess[] = [];
  let guest: NetworkedGuest;
  let directory: string;

  beforeAll(async () => {
    guest = await NetworkedGuest.prepare();
    directory = await mkdtemp(join(tmpdir(), 'reprise-fidelity-'));
    for (let i = 0; i < BURNERS; i++)
      burners.push(spawn(process.execPath, ['-e', 'for (;;);'], { stdio: 'ignore' }));
  });

  afterAll(async () => {
    for (const burner of burners) burner.kill('SIGKILL');
    await guest[Symbol.asyncDispose]();
    await rm(directory, { recursive: true, force: true });
  });

  const replay = async ({ vm }: PoweredVm, log: InputLog, pacing: PacingStrategy) => {
    await using display = await RfbClient.connect(vm.display);
    const report = await replayInput({
      ...{ display, log, pacing, signal: new AbortController().signal },
      guestProgress: () => vm.progress(),
      inputBacklog: async () => await vm.inputBacklog?.(),
    });
    // All of it went in. Its screens need not come again: a fast viewer types ahead of what they show.
    expect(['complete', 'diverged']).toContain(report.outcome);
    expect(report.events).toBe(log.events.length);
  };

  const strategies: PacingStrategy[] = [new ByEvidence(), new RecordedGaps()];

  test.each(strategies)(
    `a replay loses, doubles and swaps none of some ${String(EVENTS)} events: $name (seed ${String(SEED)})`,
    async (pacing) => {
      expect(work.log.events.length).toBeGreaterThan(EVENTS);
      await guest.resumed({ gate: 'closed' }, async (powered, serialLog) => {
        await replay(powered, work.log, pacing);
        expect(await printed(serialLog)).toEqual(got);
      });
    },
    timeoutMs,
  );

  test(
    `nor does a viewer's way through the console into guest and log, at any speed, and the log says the same again (seed ${String(SEED)})`,
    async () => {
      const tape = new Tape();
      await guest.resumed({ gate: 'closed' }, async ({ vm }, serialLog) => {
        const path = join(directory, 'console');
        await using proxy = await openConsoleProxy({
          ...{ display: vm.display, listen: { path }, recorder: tape },
          guestProgress: () => vm.progress(),
          inputBacklog: async () => await vm.inputBacklog?.(),
        });
        await using viewer = await RfbClient.connect(path);
        let previousMs = 0;
        for (const [index, { atMs, event }] of work.log.events.entries()) {
          // Only where a program has to start first does this user wait.
          if (atMs - previousMs > 500) {
            while (tape.inputs.length < index) await sleep(20);
            await viewer.waitForQuiet({ quietMs: 1500, timeoutMs: 60_000 });
          }
          previousMs = atMs;
          viewer.send(event);
          await viewer.drained();
        }
        expect(await printed(serialLog)).toEqual(got);
        await proxy.endSession();
      });
      expect(tape.events).toEqual(work.log.events.map(({ event }) => event));
      await guest.resumed({ gate: 'closed' }, async (powered, serialLog) => {
        await replay(powered, unpackInputLog(packInputLog(tape.log())), new ByEvidence());
        expect(await printed(serialLog)).toEqual(got);
      });
    },
    2 * timeoutMs,
  );
});
/** What the guest got, as it wrote it to its serial port; undefined where it did not. */
async function printed(serialLog: string): Promise<Omit<Work, 'log'> | undefined> {
  const deadline = Date.now() + PRINTED_TIMEOUT_MS;
  const between = new RegExp(`^${BEGIN}\\n([^]*)^${MIDDLE}\\n([^]*)^${END}$`, 'm');
  for (;;) {
    const said = (await readFile(serialLog, 'latin1').catch(() => '')).replaceAll('\r', '');
    const [, text, device] = between.exec(said) ?? [];
    if (text !== undefined && device !== undefined) return { text, places: placesOf(device) };
    if (Date.now() > deadline) return undefined;
    await sleep(200);
  }
}

const SYN = 0;
const KEY = 1;
const ABS = 3;
/** A tablet's axis, from one end of the screen to the other. */
const AXIS = 0x7fff;

/** Where the pointer was after each report of a tablet: 16 hexadecimal digits an event, a line each. */
function placesOf(device: string): string[] {
  const places: string[] = [];
  const now = { x: 0, y: 0, buttons: 0 };
  for (const line of device.trimEnd().split('\n')) {
    const event = Buffer.from(line, 'hex');
    const [type, code, value] = [
      event.readUInt16LE(0),
      event.readUInt16LE(2),
      event.readInt32LE(4),
    ];
    if (type === SYN) places.push(code === 0 ? place(now) : 'events were dropped');
    else if (type === KEY) now.buttons = value;
    else if (type === ABS && code === 0) now.x = Math.round((value * SCREEN.width) / AXIS);
    else if (type === ABS) now.y = Math.round((value * SCREEN.height) / AXIS);
  }
  return places;
}
