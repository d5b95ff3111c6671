import { describe, expect, test } from '@jest/globals';

import { runDemo } from './demo.js';

describe('the demo', () => {
  test('moves a guest in virtual time through a real sshd and back, exactly, for a tenth of what rsync sends', async () => {
    const said: string[] = [];
    const result = await runDemo({
      guest: 'tiny',
      clock: 'virtual',
      ssh: true,
      bytesPerSecond: 625_000,
      screens: undefined,
      signal: new AbortController().signal,
      say: (text) => said.push(text),
      show: () => undefined,
    });
    expect(said.filter((text) => text.startsWith('DIFFERENT'))).toEqual([]);
    expect(result).toMatchObject({ verified: true, link: { kind: 'ssh' } });
    expect(result.migrations.map((m) => m.direction)).toEqual(['there', 'back']);
    for (const { bytes, baselines, replay } of result.migrations) {
      expect(bytes.total).toBeLessThanOrEqual(baselines.rsyncZ.total / 10);
      expect(replay).toMatchObject({ exact: true });
      expect(replay?.events).toBeGreaterThan(50);
    }
    const [there] = result.migrations;
    expect(there?.opportunistic?.total).toBeGreaterThan(there?.bytes.total ?? 0);
  });
});
