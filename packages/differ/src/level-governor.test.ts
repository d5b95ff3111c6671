import { describe, expect, test } from '@jest/globals';
import { LevelGovernor } from './level-governor.js';

/** A link that takes `heldMs` a frame, and a processor on which level n takes `costMs(n)`. */
function settle(heldMs: number, costMs: (level: number) => number): number {
  const governor = new LevelGovernor();
  for (let frame = 0; frame < 60; frame++) {
    const made = costMs(governor.level);
    governor.observe({ made, held: heldMs, awaited: Math.max(0, made - heldMs) });
  }
  return governor.level;
}
const processor = (level: number): number => 2 ** (level / 2);

describe('the level', () => {
  test('falls to the fastest where the link takes everything at once', () => {
    expect(settle(0, processor)).toBe(1);
  });

  test('climbs to the densest where the link is slow', () => {
    expect(settle(100_000, processor)).toBe(19);
  });

  test('settles between, where encoding keeps up with the link', () => {
    const level = settle(50, processor);
    expect(processor(level)).toBeLessThanOrEqual(50);
    expect(processor(level)).toBeGreaterThan(10);
  });

  test('stays for a single slow frame', () => {
    const governor = new LevelGovernor();
    const before = governor.level;
    governor.observe({ made: 10, held: 5, awaited: 500 });
    governor.observe({ made: 10, held: 15, awaited: 0 });
    governor.observe({ made: 10, held: 5, awaited: 500 });
    expect(governor.level).toBe(before);
  });
});
