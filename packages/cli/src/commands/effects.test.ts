import { describe, expect, test } from '@jest/globals';

import type { EffectsReport } from '@reprise/core';

import { effectsText } from './effects.js';

const flow = {
  protocol: 'tcp',
  application: 'http',
  ...{ address: '203.0.113.7', port: 80, name: 'shop.example' },
  ...{ startMs: 1000, endMs: 2000, bytesOut: 54, bytesIn: 9 },
} as const;
type Session = EffectsReport['sessions'][number];
type Replay = EffectsReport['replays'][number];

const ledger: Session['ledger'] = {
  ...{ version: 1, flows: [], unlisted: { flows: 0, bytesOut: 0 }, gaps: [] },
};
const session: Session = {
  ...{ root: 'ab'.repeat(32), startedAt: '2026-01-02T03:04:05.000Z', complete: true },
  ledger: { ...ledger, flows: [{ ...flow, bursts: [] }] },
  effects: [
    {
      ...{ atMs: 12_300, flow, method: 'POST', bytes: 54, because: 'something was sent' },
      event: { index: 40, atMs: 12_000 },
    },
  ],
};

describe('what `effects` prints', () => {
  test('says so where no session had a network', () => {
    expect(effectsText({ sessions: [], replays: [] })).toBe('No session of this VM had a network.');
  });

  test('names where something went, what it was, and the input that led to it', () => {
    const text = effectsText({ sessions: [session], replays: [] });
    expect(text).toContain('session of 2026-01-02 03:04:05');
    expect(text).toContain('1 conversations, 1 effects');
    expect(text).toMatch(/shop\.example \(203\.0\.113\.7:80\) +http POST +54 B +input 40 at/);
  });

  test('does not hide that something was not noted', () => {
    const gaps = ['the network process ended'];
    const unlisted = { flows: 3, bytesOut: 10 };
    const incomplete = { ...session, complete: false, ledger: { ...ledger, unlisted, gaps } };
    expect(effectsText({ sessions: [incomplete], replays: [] })).toContain(
      'not all of it was noted: 3 conversations were only counted; the network process ended',
    );
  });

  test('lists what a replay tried, and that nothing got out', () => {
    const { protocol, address, port, name, application } = flow;
    const tried = {
      ...{ protocol, address, port, name, application },
      ...{ times: 2, firstMs: 900, bytesOut: 0 },
    };
    const replay: Replay = {
      ...{ migration: 'm', startedAt: session.startedAt, policy: 'block', withheld: 0 },
      attempts: { list: [tried], unlisted: 4 },
    };
    const text = effectsText({ sessions: [session], replays: [replay] });
    expect(text).toContain('replay of 2026-01-02 03:04:05 (block): nothing got out; it tried');
    expect(text).toMatch(/shop\.example \(203\.0\.113\.7:80\) +http +2/);
    expect(text).toContain('and 4 more');
  });
});
