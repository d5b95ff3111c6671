import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import { DEVICES, FIRST, PREAMBLE, section, text, u64 } from '../../testing/device-state.js';

import { ramSections, withPagesInOneSection } from './ram-sections.js';

function page(index: number): Buffer {
  const address = BigInt(index) * 4096n;
  const name = index === 0 ? text('vga.vram') : Buffer.alloc(0);
  const again = index === 0 ? 0n : 0x20n;
  return index % 3 === 0
    ? Buffer.concat([u64(address | again | 0x02n), name, Buffer.from([0])])
    : Buffer.concat([u64(address | again | 0x08n), name, Buffer.alloc(4096, index)]);
}

/** A device state whose pages QEMU has divided like this; the last division is the last section. */
function saved(divisions: readonly number[]): Buffer {
  let next = 0;
  const sections = divisions.map((count, i) => {
    const pages = Array.from({ length: count }, () => page(next++));
    return section(i === divisions.length - 1 ? 3 : 2, pages);
  });
  return Buffer.concat([PREAMBLE, FIRST, ...sections, DEVICES]);
}

describe('the pages in a device state', () => {
  test('are found, and where the devices begin', () => {
    const state = saved([4, 2, 0]);
    const sections = ramSections(state);
    expect(sections?.pages).toHaveLength(3);
    expect(state.subarray(sections?.end)).toEqual(DEVICES);
  });

  test('come into one section, however they were divided', () => {
    const whole = saved([7, 0]);
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 7 }), { maxLength: 5 }), (cuts) => {
        const at = [0, ...new Set(cuts.sort((a, b) => a - b)), 7];
        const divisions = at.slice(1).map((cut, i) => cut - (at[i] ?? 0));
        expect(withPagesInOneSection(saved(divisions))).toEqual(whole);
      }),
    );
    expect(withPagesInOneSection(whole)).toEqual(whole);
  });

  test('stay as they are in a state that is cut off, or of another layout', () => {
    const state = saved([3, 1]);
    for (let length = 0; length < state.length - DEVICES.length; length += 7) {
      const cut = state.subarray(0, length);
      expect(withPagesInOneSection(cut)).toEqual(cut);
    }
    fc.assert(
      fc.property(fc.nat(FIRST.length + PREAMBLE.length), fc.nat(255), (at, value) => {
        const other = Buffer.from(state);
        other[at] = value;
        const result = withPagesInOneSection(other);
        expect(ramSections(other) === undefined ? result.equals(other) : true).toBe(true);
      }),
    );
  });
});
