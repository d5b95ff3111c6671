import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import { DEVICES, FIRST, PREAMBLE } from '../../testing/device-state.js';

import { joinDeviceState, splitDeviceState } from './device-pages.js';

const PAGE = 4096;
const REST = Buffer.concat([PREAMBLE, FIRST, DEVICES]);
/** The only block of the test's states that is not in the RAM file. */
const LAYOUT = `vga.vram:${String(0x80_0000)}`;
const COUNT = 0x80_0000 / PAGE;
const blank = Buffer.alloc(PAGE);

/** Some pages of the display; the others are dark. */
const pages = fc.dictionary(
  fc.nat(COUNT - 1).map(String),
  fc.integer({ min: 1, max: 255 }).map((value) => Buffer.alloc(PAGE, value)),
  { maxKeys: 12 },
);
const stateOf = (content: Readonly<Record<string, Buffer>>): Buffer =>
  joinDeviceState(REST, LAYOUT, (number) => content[String(number)] ?? blank);

describe('a device state and its pages', () => {
  test('come apart and together again as they were', () => {
    fc.assert(
      fc.property(pages, (content) => {
        const state = stateOf(content);
        const split = splitDeviceState(state);
        expect(split).toMatchObject({ layout: LAYOUT, count: COUNT });
        expect(split?.rest.equals(REST)).toBe(true);
        const found = new Map(split?.contents);
        expect([...found.keys()].map(String)).toEqual(
          Object.keys(content).toSorted((a, b) => Number(a) - Number(b)),
        );
        for (const [number, offset] of found) {
          expect(content[String(number)]?.equals(state.subarray(offset, offset + PAGE))).toBe(true);
        }
      }),
      { numRuns: 20 },
    );
  });

  test('stay together where a page is missing, comes twice, or is of no known block', () => {
    const state = stateOf({ 3: Buffer.alloc(PAGE, 7) });
    const whole = splitDeviceState(state);
    const at = whole?.contents[0]?.[1] ?? 0;
    const record = state.subarray(at - 8, at + PAGE);
    const [before, after] = [state.subarray(0, at - 8), state.subarray(at + PAGE)];
    expect(splitDeviceState(Buffer.concat([before, after]))).toBeUndefined();
    expect(splitDeviceState(Buffer.concat([before, record, record, after]))).toBeUndefined();
    const named = Buffer.from(state);
    named.write('vgb.vram', state.lastIndexOf('vga.vram'), 'latin1');
    expect(splitDeviceState(named)).toBeUndefined();
  });

  test('that are damaged or cut off come apart into something that is no larger, or not at all', () => {
    const state = stateOf({ 0: Buffer.alloc(PAGE, 1), 9: Buffer.alloc(PAGE, 2) });
    const somewhere = fc.oneof(fc.nat(400), fc.nat(state.length - 1));
    fc.assert(
      fc.property(somewhere, fc.nat(255), fc.nat(state.length), (where, value, end) => {
        const other = Buffer.from(state.subarray(0, Math.max(end, 600)));
        other[Math.min(where, other.length - 1)] = value;
        const split = splitDeviceState(other);
        if (split === undefined) return;
        expect(split.rest.length).toBeLessThanOrEqual(other.length);
        for (const [, offset] of split.contents) expect(offset + PAGE).toBeLessThan(other.length);
      }),
    );
  });

  test('do not come together around bytes that are no rest of a device state', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 5000 }), (bytes) => {
        expect(() => joinDeviceState(Buffer.from(bytes), LAYOUT, () => blank)).toThrow(RangeError);
      }),
    );
  });
});
