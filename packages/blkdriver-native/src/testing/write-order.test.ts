import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import { parseTrace } from './block-trace.js';
import { matchPhase } from './write-order.js';

const changes = fc.uniqueArray(fc.nat(10_000), { minLength: 2, maxLength: 60 });

describe('the judge of order', () => {
  test('reads what a kernel traced, without what the ring had no room for', () => {
    const text = [
      ...['phase a', 'issue: 202,0 WS 8 16', 'issue: 202,0 FF 0 0', 'issue: 202,16 W 0 8'],
      ...['issue: 202,0 W 100 1', 'requeue: 202,0 W 100 1', 'issue: 202,0 D 4 30'],
      ...['issue: 202,0 W 100 1', 'issue: 202,0 R 0 8', 'stats:overrun: 0', 'phase b', ''],
    ].join('\n');
    const [a, b] = parseTrace(text, '202,0');
    expect(a).toEqual({
      ...{ name: 'a', changes: [1, 2, -2, -3, -4, 12] },
      ...{ writes: 2, discards: 1, flushes: 1, lost: 0 },
    });
    expect(b?.changes).toEqual([]);
  });

  test('finds two swapped changes, a missing one and a foreign one', () => {
    fc.assert(
      fc.property(changes, fc.nat(), (sent, pick) => {
        const at = pick % (sent.length - 1);
        const swapped = sent.with(at, sent[at + 1] ?? 0).with(at + 1, sent[at] ?? 0);
        const missing = sent.toSpliced(at, 1);
        const foreign = sent.toSpliced(at, 0, -7);
        for (const log of [swapped, missing, foreign]) {
          expect(() => matchPhase(log, 0, sent, 'exact')).toThrow('out of order');
        }
        expect(() => matchPhase(foreign, 0, sent, 'repeats')).toThrow('out of order');
        // A gap may reach to the end of the phase; what then is left over in the log tells.
        expect(matchPhase(foreign, 0, sent, 'gap').end).toBeLessThan(foreign.length);
        expect(matchPhase(sent, 0, sent, 'exact').matched).toBe(sent.length);
      }),
    );
  });

  test('follows a guest that was saved and a backend that was killed', () => {
    fc.assert(
      fc.property(changes, fc.nat(), fc.nat(), (sent, a, b) => {
        const from = a % sent.length;
        const count = b % (sent.length - from);
        const repeats = sent.toSpliced(from + count, 0, ...sent.slice(from, from + count));
        expect(matchPhase(repeats, 0, sent, 'repeats')).toMatchObject({
          matched: sent.length,
          repeated: count,
        });
        const gap = sent.toSpliced(from, count);
        const behind = [4, 5, ...gap, 9];
        expect(matchPhase(behind, 2, sent, 'gap')).toMatchObject({
          end: 2 + gap.length,
          skipped: count,
        });
      }),
    );
  });
});
