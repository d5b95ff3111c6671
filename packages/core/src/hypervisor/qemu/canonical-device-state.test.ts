import { describe, expect, test } from '@jest/globals';

import { canonicalDeviceState, hostClockReadings } from './canonical-device-state.js';

function timerSection(id: number, readings: readonly [bigint, bigint]): Buffer {
  const [ticks, clock] = readings;
  const number = (bytes: number, value: bigint) =>
    Buffer.from(value.toString(16).padStart(2 * bytes, '0'), 'hex');
  return Buffer.concat([
    Buffer.from([4]),
    number(4, BigInt(id)),
    Buffer.from('\x05timer\0\0\0\0\0\0\0\x02', 'latin1'),
    ...[number(8, ticks), number(8, 0n), number(8, clock)],
    Buffer.from('\x05\x0ctimer/icount\0\0\0\x01', 'latin1'),
    ...[number(8, 5n), number(8, 7n)],
    Buffer.from([0x7e]),
    number(4, BigInt(id)),
  ]);
}

const noise = Buffer.from('some other section, which may even say \x05timer');

describe('the readings of the host in a device state', () => {
  test('are found in the section that QEMU writes them to', () => {
    const state = Buffer.concat([noise, timerSection(3, [0x1234n, 0x5678n]), noise]);
    const values = hostClockReadings(state).map((at) => state.readBigInt64BE(at));
    expect(values).toEqual([0x1234n, 0x5678n]);
  });

  test('are left alone where a guest has written a section that looks the same', () => {
    const section = timerSection(3, [1n, 2n]);
    expect(hostClockReadings(Buffer.concat([section, noise, section]))).toEqual([]);
  });

  test('are not looked for in a section of another shape, or one that is cut off', () => {
    const section = timerSection(3, [1n, 2n]);
    const otherEnd = Buffer.from(section);
    otherEnd.writeUInt8(4, section.length - 1);
    expect(hostClockReadings(otherEnd)).toEqual([]);
    for (let length = 0; length < section.length; length++) {
      expect(hostClockReadings(section.subarray(0, length))).toEqual([]);
    }
  });

  test('are set to zero, and nothing else is', () => {
    const state = Buffer.concat([noise, timerSection(3, [0x1234n, 0x5678n]), noise]);
    expect(canonicalDeviceState(state)).toEqual(
      Buffer.concat([noise, timerSection(3, [0n, 0n]), noise]),
    );
  });
});
