import { describe, expect, test } from '@jest/globals';

import { summarize } from './session-summary.js';
import { sessionTable } from './table.js';
import { sessionRun } from './testing/session-runs.js';

const none = { sent: 0, received: 0 };
const classes = { log: none, digests: none, ram: none, disk: none, device: none, boot: none };

const run = (replaySent: number) =>
  sessionRun({
    'full-copy': { sent: 9_000_000 },
    rsync: { sent: 1_200_000, received: 34_567 },
    'rsync-pages': { sent: 1_000_000, received: 90_000 },
    'reprise-ship': { sent: 50_000, received: 100 },
    'reprise-replay': {
      byClass: {
        ...classes,
        log: { sent: 1024, received: 0 },
        ram: { sent: replaySent, received: 0 },
        control: { sent: 300, received: 200 },
      },
    },
  });

const rowsOf = (text: string) => text.split('\n').map((line) => line.trim().split(/ {2,}/));

describe('the table of a session', () => {
  test('says for each method what went in each direction, by class, and how rsync compares', () => {
    const [summary] = summarize([run(20_000)]);
    if (summary === undefined) throw new Error('no summary');
    const text = sessionTable(summary);
    expect(text).toContain('1 234 pages of RAM and 56 blocks of disk changed');
    const rows = rowsOf(text);
    expect(rows).toContainEqual(['rsync -z', 'sent', '-', '-', '-', '-', '-', '-', '1 200 000']);
    expect(rows).toContainEqual(['both', '-', '-', '-', '-', '-', '-', '1 234 567', '1.00 x']);
    const replay = rows.findIndex(([name]) => name === 'reprise, replay');
    expect(rows.slice(replay, replay + 3)).toEqual([
      ['reprise, replay', 'sent', '1 024', '-', '20 000', '-', '-', '300', '21 324'],
      ['received', '-', '-', '-', '-', '-', '200', '200'],
      ['both', '1 024', '-', '20 000', '-', '-', '500', '21 524', '57.36 x'],
    ]);
  });

  test('has no line for a direction that carried nothing', () => {
    const [summary] = summarize([run(20_000)]);
    if (summary === undefined) throw new Error('no summary');
    const rows = rowsOf(sessionTable(summary));
    const fullCopy = rows.findIndex(([name]) => name === 'full copy + zstd');
    expect(rows[fullCopy + 1]?.[0]).toBe('both');
  });

  test('shows the range of the totals of several runs', () => {
    const [summary] = summarize([run(20_000), run(10_000), run(30_000)]);
    if (summary === undefined) throw new Error('no summary');
    const text = sessionTable(summary);
    expect(text).toContain('3 runs, medians');
    expect(text).toContain('11 324 … 31 324');
  });
});
