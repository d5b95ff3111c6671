import { describe, expect, test } from '@jest/globals';

import { driverRow } from './driver-row.js';
import { workloads } from './workload.js';

const [workload] = workloads;
if (workload === undefined) throw new Error('there are no workloads');

const pairs = (...figures: readonly (readonly [number, number])[]) =>
  figures.map(([tracked, untracked]) => ({ tracked, untracked }));

describe('a row of the driver benchmark', () => {
  test('compares with the better of the others, round by round', () => {
    const row = driverRow(
      workload,
      {
        ours: [110, 220, 330],
        qemuNbd: [50, 50, 50],
        nbdkit: [100, 200, 300],
      },
      pairs([1, 1]),
    );
    expect(row).toMatchObject({ ours: 220, qemuNbd: 50, nbdkit: 200, best: 'nbdkit' });
    expect(row.ratioToBest).toBeCloseTo(1.1);
    expect(row.ratioLow).toBeCloseTo(1.1);
    expect(row.ratioHigh).toBeCloseTo(1.1);
  });

  test('gives the cost of tracking as a fraction, below zero where the untracked run was slower', () => {
    const samples = { ours: [98, 99, 101], qemuNbd: [1, 1, 1], nbdkit: [2, 2, 2] };
    const row = driverRow(workload, samples, pairs([98, 100], [99, 100], [101, 100]));
    expect(row.trackingCost).toBeCloseTo(0.0075, 3);
    expect(row.trackingLow).toBeCloseTo(-0.01);
    expect(row.trackingHigh).toBeCloseTo(0.02);
    expect(row.spread.ours).toBeCloseTo(0.0101, 3);
    expect(row.verdict).toEqual({ speed: 'shown', tracking: 'shown' });
  });

  test('does not take what alternates for a cost', () => {
    const samples = { ours: [1], qemuNbd: [1], nbdkit: [1] };
    const alternating = pairs([90, 100], [100, 90], [90, 100], [100, 90]);
    expect(driverRow(workload, samples, alternating).trackingCost).toBeCloseTo(0);
  });
});
