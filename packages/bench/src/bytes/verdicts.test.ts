import { describe, expect, test } from '@jest/globals';

import { noMethods, type MethodBytes, type Methods } from './method-bytes.js';
import { verdictLine, verdictsOf } from './verdicts.js';

const of = (total: number, rest: Partial<MethodBytes> = {}): MethodBytes => ({
  ...{ total, sent: total, received: 0, ram: total, disk: 0, device: 0 },
  ...{ log: 0, digests: 0, control: 0, ...rest },
});
const oracle = (total: number) => ({
  ...{ total, pages: 1, joined: total, pageByPage: total, positions: 0, fixed: 0 },
});
const measured: Methods = {
  ...noMethods(),
  replay: of(125, { log: 5, digests: 10 }),
  ship: of(110),
  rsyncZ: of(1500),
  cloudlet: of(375),
  oracle: oracle(100),
};
const holds = (name: string, methods: Methods) =>
  verdictsOf(name, methods).map((verdict) => verdict.holds);

describe('the bounds of a session', () => {
  test('hold at the limit', () => {
    expect(holds('edit', measured)).toEqual([true, true, true, true]);
  });

  test('fail a byte above it, each by itself', () => {
    expect(holds('edit', { ...measured, oracle: oracle(99) })[0]).toBe(false);
    expect(holds('edit', { ...measured, rsyncZ: of(1499) })[1]).toBe(false);
    expect(holds('edit', { ...measured, cloudlet: of(374) })[2]).toBe(false);
    expect(holds('edit', { ...measured, ship: of(109) })[3]).toBe(false);
  });

  test('of a terminal session ask for a fortieth of rsync -z, of others for nothing of it', () => {
    expect(holds('terminal', measured)[1]).toBe(false);
    expect(holds('terminal', { ...measured, rsyncZ: of(5000) })[1]).toBe(true);
    expect(holds('browse', measured)).toHaveLength(3);
  });

  test('are neither held nor broken by what was not measured', () => {
    const verdicts = verdictsOf('edit', { ...measured, oracle: null, rsyncZ: null });
    expect(verdicts.map((verdict) => verdict.holds)).toEqual([null, null, true, true]);
    expect(verdicts.map(verdictLine)[0]).toContain('not measured');
  });
});
