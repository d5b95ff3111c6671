import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import type { InputEvent, TileRect, TimedInput } from '../input/input-event.js';
import { SessionClock } from '../input/session-clock.js';

import { frameDigest } from './frame.js';
import { Framebuffer } from './framebuffer.js';
import { InputRecorder } from './input-recorder.js';
import { keysym } from './keysym.js';

class Bench {
  nowMs = 0;
  readonly tape: TimedInput[] = [];
  readonly clock = new SessionClock(() => this.nowMs);
  readonly recorder = new InputRecorder({
    sink: { record: (input) => this.tape.push(input) },
    clock: this.clock,
  });
  readonly screen = new Framebuffer(this.recorder.blinks);

  constructor() {
    this.screen.resize(320, 200);
  }

  draw(x: number, y: number, width: number, height: number, value: number): void {
    for (let row = y; row < y + height; row++) this.screen.span(x, row, width).fill(value);
    this.screen.touch(x, y, width, height);
    this.screen.commit();
  }

  input(event: InputEvent, afterMs = 100): TimedInput {
    this.nowMs += afterMs;
    this.recorder.record(event, this.screen);
    const last = this.tape.at(-1);
    if (last === undefined) throw new Error('nothing was recorded');
    return last;
  }
}

const key = (sym: number, down = true): InputEvent => ({ kind: 'key', down, keysym: sym });
const pointer = (x: number, y: number, buttons = 0): InputEvent => ({
  kind: 'pointer',
  x,
  y,
  buttons,
});
const covers = (mask: readonly TileRect[], x: number, y: number): boolean =>
  mask.some((r) => x >= r.x && x < r.x + r.width && y >= r.y && y < r.y + r.height);

describe('anchors', () => {
  test('stand before Return, before a button goes down, and before the first input after a pause; not before their releases', () => {
    const bench = new Bench();
    const anchored = [
      bench.input(key(0x61)),
      bench.input(key(keysym.Return)),
      bench.input(key(keysym.Return)), // held: a repeat
      bench.input(key(keysym.Return, false), 900),
      bench.input(pointer(10, 10, 1)),
      bench.input(pointer(20, 10, 1)),
      bench.input(pointer(20, 10, 0), 2000),
      bench.input(pointer(20, 10, 0)),
      bench.input(key(0x62), 699),
      bench.input(key(0x62, false)),
      bench.input(key(0x63), 700),
    ].map(({ anchor }) => anchor !== undefined);
    expect(anchored).toEqual([
      false,
      true,
      false,
      false,
      true,
      false,
      true,
      false,
      false,
      false,
      true,
    ]);
  });

  test('show the screen just before the input, without the tiles near the pointer, old and new', () => {
    const bench = new Bench();
    bench.input(pointer(20, 20));
    const { anchor } = bench.input(pointer(200, 100, 1));
    const mask = anchor?.mask ?? [];
    expect([covers(mask, 0, 0), covers(mask, 6, 3), covers(mask, 3, 3)]).toEqual([
      true,
      true,
      false,
    ]);
    const before = frameDigest(bench.screen.frame(), mask);
    expect(anchor?.digest).toBe(before);
    bench.draw(20, 20, 10, 10, 0xff);
    bench.draw(200, 100, 10, 10, 0xff);
    expect(bench.screen.digest(mask)).toBe(before);
    bench.draw(110, 110, 1, 1, 1);
    expect(bench.screen.digest(mask)).not.toBe(before);
  });

  test('leave out what blinks without input, and only that', () => {
    const bench = new Bench();
    bench.input(key(0x61));
    for (let i = 0; i < 6; i++) {
      bench.nowMs += 500;
      bench.draw(64, 64, 8, 16, i % 2); // a cursor
      bench.draw(160, 64, 8, 16, i + 1); // a program's output
    }
    const mask = bench.input(key(0x62)).anchor?.mask ?? [];
    expect([covers(mask, 2, 2), covers(mask, 5, 2)]).toEqual([true, false]);
    expect(mask).toHaveLength(1);
    bench.draw(64, 64, 8, 16, 77); // the cursor moved on, text stands here now
    expect(bench.input(key(keysym.Return)).anchor?.mask).toEqual([]);
  });

  test.each([
    ['of seconds, after some', 1000, 4],
    ['of minutes, after its second tick', 60_000, 2],
  ])('leave out a clock %s, and a log that grows elsewhere not', (_what, intervalMs, ticks) => {
    const bench = new Bench();
    bench.input(key(0x61));
    for (let i = 0; i < ticks; i++) {
      bench.nowMs += intervalMs;
      bench.draw(288, 0, 30, 16, i + 1);
      bench.nowMs += 400;
      bench.draw(0, 32 * (i % 6), 200, 16, 50 + i); // a line of a program's output, each in its own place
      bench.nowMs -= 400;
    }
    bench.nowMs += 400;
    const mask = bench.input(key(keysym.Return)).anchor?.mask ?? [];
    expect([covers(mask, 9, 0), covers(mask, 0, 0), covers(mask, 0, 1)]).toEqual([
      true,
      false,
      false,
    ]);
    // It ticks on, and an anchor is found again.
    const digest = bench.screen.digest(mask);
    bench.nowMs += intervalMs;
    bench.draw(288, 0, 30, 16, 99);
    expect(bench.screen.digest(mask)).toBe(digest);
  });

  test('do not take for a clock what scrolls, what the user types slowly, and one that has stopped', () => {
    const bench = new Bench();
    const maskedAt = (column: number, row: number) =>
      covers(bench.input(key(keysym.Return), 400).anchor?.mask ?? [], column, row);
    for (let i = 0; i < 8; i++) {
      bench.input(key(0x61 + i), 1500);
      bench.nowMs += 20;
      bench.draw(64, 64, 8, 16, i + 1);
    }
    expect(maskedAt(2, 2)).toBe(false);
    for (let i = 0; i < 8; i++) {
      bench.nowMs += 1500;
      bench.draw(0, 0, 320, 200, i + 1);
    }
    expect(maskedAt(2, 2)).toBe(false);
    for (let i = 0; i < 4; i++) {
      bench.nowMs += 1000;
      bench.draw(96, 96, 8, 8, i + 100);
    }
    expect(maskedAt(3, 3)).toBe(true);
    bench.nowMs += 10_000;
    expect(maskedAt(3, 3)).toBe(false);
  });

  test('do not take an echo for blinking: what toggles right after input is caused by it', () => {
    const bench = new Bench();
    for (let i = 0; i < 8; i++) {
      bench.input(key(i % 2 === 0 ? 0x61 : keysym.BackSpace));
      bench.nowMs += 20;
      bench.draw(64, 64, 8, 16, i % 2);
    }
    expect(bench.input(key(keysym.Return)).anchor?.mask).toEqual([]);
  });

  test('times stand still while the clock is paused', () => {
    const bench = new Bench();
    bench.input(key(0x61));
    bench.clock.pause();
    bench.nowMs += 5000;
    bench.clock.resume();
    expect(bench.input(key(0x61, false)).atMs).toBe(200);
    expect(bench.clock.now()).toBe(200);
  });
});

describe('the kept digest', () => {
  test('always equals the digest of the whole frame, whatever was drawn', () => {
    const rect = fc.record({
      x: fc.nat(99),
      y: fc.nat(69),
      w: fc.integer({ min: 1, max: 40 }),
      h: fc.integer({ min: 1, max: 40 }),
      v: fc.nat(255),
    });
    fc.assert(
      fc.property(fc.array(rect, { maxLength: 12 }), (rects) => {
        const screen = new Framebuffer();
        screen.resize(100, 70);
        for (const { x, y, w, h, v } of rects) {
          const [width, height] = [Math.min(w, 100 - x), Math.min(h, 70 - y)];
          for (let row = y; row < y + height; row++) screen.span(x, row, width).fill(v);
          screen.touch(x, y, width, height);
          screen.commit();
        }
        expect(screen.digest()).toBe(frameDigest(screen.frame()));
      }),
    );
  });

  test('ignores the unused byte of a pixel and sees every other', () => {
    const pixels = new Uint8Array(4 * 40 * 40);
    const frame = { width: 40, height: 40, pixels };
    const black = frameDigest(frame);
    pixels[4 * 37 + 3] = 9;
    expect(frameDigest(frame)).toBe(black);
    pixels[4 * 37 + 2] = 1;
    expect(frameDigest(frame)).not.toBe(black);
  });
});
