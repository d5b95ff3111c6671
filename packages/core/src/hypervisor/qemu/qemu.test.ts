import { describe, expect, test } from '@jest/globals';

import { hypervisorConformance } from '../conformance.js';

import { probeAccelerator } from './probe.js';
import { QemuHypervisor } from './qemu.js';

hypervisorConformance('QEMU', new QemuHypervisor());

describe('the accelerator probe', () => {
  test('finds emulation usable by running a guest', async () => {
    expect(await probeAccelerator('tcg')).toMatchObject({ usable: true, reason: 'a guest ran' });
  });

  test('gives up on a guest that does not run within its deadline', async () => {
    const result = await probeAccelerator('tcg', { timeoutMs: 1 });
    expect(result.usable).toBe(false);
    expect(result.reason).toMatch(/did not run within/);
  });
});
