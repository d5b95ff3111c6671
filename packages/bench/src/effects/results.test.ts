import { describe, expect, test } from '@jest/globals';

import { effectsTable, summarize, type EffectsRound } from './results.js';

const none = { posts: 0, mails: 0, connections: 0 };
const round = (change: Partial<EffectsRound> = {}): EffectsRound => ({
  ...{ policy: 'block', build: 'b1', session: { posts: 1, mails: 1, connections: 2 } },
  ...{ migration: none, packetBytes: 0, ledgerComplete: true, attemptsAsExpected: true },
  ...{ outcome: 'complete', replaySeconds: 3 },
  ...change,
});
const fifty = Array.from({ length: 50 }, () => round());
const verdict = (rounds: readonly EffectsRound[]) => summarize(rounds, 'block', 'b1').verdict;

describe('what the effects benchmark says', () => {
  test('the promise holds after fifty rounds without a fault, and is open before', () => {
    expect(verdict(fifty)).toBe('holds');
    expect(verdict(fifty.slice(1))).toBe('open');
  });

  test.each<[string, Partial<EffectsRound>]>([
    ['a form that came a second time', { migration: { ...none, posts: 1 } }],
    ['a connection on which nothing was said', { migration: { ...none, connections: 1 } }],
    ['a mail that was not sent in the session', { session: { ...none, posts: 1 } }],
    ['a packet on some interface', { packetBytes: 74 }],
    ['a ledger that lacks something', { ledgerComplete: false }],
    ['an attempt that is not listed', { attemptsAsExpected: false }],
    ['a replay that did not get through', { outcome: 'failed: it did not start' }],
  ])('one fault is enough: %s', (_what, change) => {
    expect(verdict([...fifty, round(change)])).toBe('fails');
  });

  test('rounds without a capture are counted apart, not as silent', () => {
    const summary = summarize([round(), round({ packetBytes: null })], 'block', 'b1');
    expect(summary).toMatchObject({ runs: 2, captured: 1, silent: 1 });
    expect(
      effectsTable({
        version: 1,
        build: 'b1',
        rounds: [],
        policies: [{ ...summary, captured: 0 }],
      }),
    ).toContain('not seen');
  });

  test('rounds of another policy or build do not count', () => {
    const others = [round({ policy: 'skip' }), round({ build: 'b0' })];
    expect(summarize([...fifty, ...others], 'block', 'b1').runs).toBe(50);
  });
});
