import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import { keyNumber } from '../console/key-number.js';
import { keysym, keystroke } from '../console/keysym.js';
import { MOST_AXIS } from '../hypervisor/virtual-clock.js';

import { deviceInputs, msOfNs, nsOfMs, toDevice, toRecorded } from './device-input.js';

const screen = { width: 800, height: 600 };

describe('input on its way to a guest in virtual time', () => {
  test('finds the key of every character of a US keyboard, the same with and without Shift', () => {
    for (let code = 0x20; code <= 0x7e; code++) {
      const { keysym: sym } = keystroke(String.fromCharCode(code));
      expect(keyNumber(sym)).toBeGreaterThan(0);
    }
    expect(keyNumber('a'.charCodeAt(0))).toBe(keyNumber('A'.charCodeAt(0)));
    expect(keyNumber('1'.charCodeAt(0))).toBe(keyNumber('!'.charCodeAt(0)));
    expect(keyNumber(keysym.Delete)).toBe(0xd3);
  });

  test('knows every key by name that a viewer can press by name', () => {
    for (const sym of Object.values(keysym)) expect(keyNumber(sym)).toBeDefined();
  });

  test('is recorded as what the device gets', () => {
    const event = toRecorded({ kind: 'key', down: true, keysym: 0x61 }, screen);
    expect(event).toEqual({ kind: 'extended-key', down: true, keysym: 0x61, keycode: 0x1e });
    expect(event && toDevice(event)).toEqual({ kind: 'key', number: 0x1e, down: true });
  });

  test('reaches both edges of the tablet, and never leaves it', () => {
    const at = (x: number, y: number) => toRecorded({ kind: 'pointer', x, y, buttons: 0 }, screen);
    expect(at(0, 0)).toMatchObject({ x: 0, y: 0 });
    expect(at(799, 599)).toMatchObject({ x: MOST_AXIS, y: MOST_AXIS });
    expect(at(65_535, 65_535)).toMatchObject({ x: MOST_AXIS, y: MOST_AXIS });
  });

  test('is refused where it has no place in virtual time', () => {
    expect(
      toRecorded({ kind: 'resize', width: 1, height: 1, screens: [] }, screen),
    ).toBeUndefined();
    expect(
      toRecorded({ kind: 'clipboard', extended: false, data: new Uint8Array(1) }, screen),
    ).toBeUndefined();
    expect(toRecorded({ kind: 'key', down: true, keysym: 0x1000394 }, screen)).toBeUndefined();
  });

  test('stands between the frames of the network as it did in the session', () => {
    const key = { kind: 'extended-key' as const, down: true, keysym: 0x61, keycode: 0x1e };
    const frame = (after: number, atMs: number, byte: number) => ({
      ...{ after, atMs, bytes: Uint8Array.of(byte) },
    });
    const order = [
      ...deviceInputs({
        header: { width: 8, height: 8, held: [], buttons: 0, virtual: { startNs: 0n } },
        events: [
          { atMs: 10, event: key },
          { atMs: 10, event: key },
        ],
        frames: [frame(0, 10, 1), frame(1, 10, 2), frame(1, 10, 3), frame(2, 30, 4)],
      }),
    ];
    expect(
      order.map(({ atNs, input }) => [atNs, input.kind === 'frame' ? input.bytes[0] : 'key']),
    ).toEqual([
      [10_000_000, 1],
      [10_000_000, 'key'],
      [10_000_000, 2],
      [10_000_000, 3],
      [10_000_000, 'key'],
      [30_000_000, 4],
    ]);
  });

  test('keeps its exact time through a log', () => {
    fc.assert(
      fc.property(fc.nat(2 ** 31), (tick) => {
        expect(nsOfMs(msOfNs(tick * 10_000_000))).toBe(tick * 10_000_000);
      }),
    );
  });
});
