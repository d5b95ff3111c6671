import { describe, expect, test } from '@jest/globals';

import { driverRow } from './driver-row.js';
import { workloads } from './workload.js';

const [workload] = workloads;
if (workload === undefined) throw new Error('there are no workloads');

describe('a row of the driver benchmark', () => {
  test('compares with the better of the others, round by round', () => {
    const row = driverRow(workload, {
      ours: [110, 220, 330],
      untracked: [110, 200, 300],
      qemuNbd: [50, 50, 50],
      nbdkit: [100, 200, 300],
    });
    expect(row).toMatchObject({ ours: 220, qemuNbd: 50, nbdkit: 200, best: 'nbdkit' });
    expect(row.ratioToBest).toBeCloseTo(1.1);
    expect(row.ratioLow).toBeCloseTo(1.1);
    expect(row.ratioHigh).toBeCloseTo(1.1);
  });

  test('gives the cost of tracking as a fraction, below zero where the untracked run was slower', () => {
    const row = driverRow(workload, {
      ours: [98, 99, 101],
      untracked: [100, 100, 100],
      qemuNbd: [1, 1, 1],
      nbdkit: [2, 2, 2],
    });
    expect(row.trackingCost).toBeCloseTo(0.01);
    expect(row.trackingLow).toBeCloseTo(-0.01);
    expect(row.trackingHigh).toBeCloseTo(0.02);
    expect(row.spread.ours).toBeCloseTo(0.0101, 3);
  });
});
