/** Pieces of a device state as QEMU saves it, for tests. */

export const ID = 2;
const END = u64(0x10n);
const FOOTER = Buffer.concat([Buffer.from([0x7e]), u32(ID)]);
export const PREAMBLE = Buffer.from('QEVM\0\0\0\x03\x07\0\0\0\x0dpc-i440fx-7.2');
export const DEVICES = Buffer.from('\x04\0\0\0\0\x05timer and the other devices', 'latin1');

export function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

export function u64(value: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(value);
  return bytes;
}

export function text(name: string): Buffer {
  return Buffer.concat([Buffer.from([name.length]), Buffer.from(name)]);
}

/** `vga.vram`, all of it in the stream, and `ram`, which is in the RAM file. */
const sizes = Buffer.concat([
  u64(0x2000_0000n | 0x04n),
  ...[text('ram'), u64(0x1f80_0000n), u64(0n)],
  ...[text('vga.vram'), u64(0x80_0000n), u64(0xfe00_0000n)],
]);

export function section(kind: number, body: readonly Buffer[], head = Buffer.alloc(0)): Buffer {
  return Buffer.concat([Buffer.from([kind]), u32(ID), head, ...body, END, FOOTER]);
}

export const FIRST = section(1, [sizes], Buffer.from('\x03ram\0\0\0\0\0\0\0\x04', 'latin1'));
