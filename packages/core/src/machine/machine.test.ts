import { describe, expect, test } from '@jest/globals';

import { machineDigest, parseMachine, type MachineInput } from './index.js';

const definition: MachineInput = {
  version: 1,
  hypervisor: 'qemu',
  accelerator: 'tcg',
  memoryMiB: 128,
  diskBytes: 64 * 1024 * 1024,
  boot: { kind: 'direct', kernel: 'a'.repeat(64), append: 'quiet' },
  clockBase: '2026-01-01T00:00:00',
  seed: 7,
};

describe('a machine definition', () => {
  test('has the same digest whatever the order of its keys', () => {
    const reversed = Object.fromEntries(Object.entries(definition).reverse());
    expect(machineDigest(parseMachine(reversed))).toBe(machineDigest(parseMachine(definition)));
  });

  test('has another digest when anything in it changes', () => {
    const larger = parseMachine({ ...definition, memoryMiB: 256 });
    expect(machineDigest(larger)).not.toBe(machineDigest(parseMachine(definition)));
  });

  test.each([
    ['an unknown key', { extraArguments: ['-monitor', 'stdio'] }],
    ['an unversioned machine type', { machineType: 'pc' }],
    ["the host's own CPU", { cpuModel: 'host' }],
    ['an argument smuggled into the CPU model', { cpuModel: 'qemu64,+vmx -monitor stdio' }],
    [
      'a control character on the command line',
      { boot: { kind: 'direct', kernel: 'a'.repeat(64), append: 'a\nb' } },
    ],
    ['a virtual clock on two CPUs', { clock: 'virtual', cpus: 2 }],
    ['a virtual clock without emulation', { clock: 'virtual', accelerator: 'kvm' }],
    ['a disk that is no whole number of blocks', { diskBytes: 4097 }],
  ])('is refused with %s', (_what, change) => {
    expect(() => parseMachine({ ...definition, ...change })).toThrow(
      expect.objectContaining({ code: 'INVALID_MACHINE' }),
    );
  });
});
