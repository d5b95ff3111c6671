import { describe, expect, test } from '@jest/globals';

import { summarize } from './session-summary.js';
import { sessionRun } from './testing/session-runs.js';

const runOf = (rsync: number, replay: number, session?: string) =>
  sessionRun(
    {
      'full-copy': { sent: 100_000 },
      rsync: { sent: rsync - 100, received: 100 },
      'rsync-pages': { sent: 9000 },
      'reprise-ship': { sent: 2000 },
      'reprise-replay': { sent: replay },
    },
    session,
  );

describe('summaries of sessions', () => {
  test('compare each run with the rsync of the same run', () => {
    const [summary] = summarize([runOf(10_000, 1000), runOf(30_000, 1500), runOf(20_000, 1000)]);
    const replay = summary?.methods.find(({ method }) => method === 'reprise-replay');
    expect(summary?.runs).toBe(3);
    expect(replay?.total).toEqual({ min: 1000, median: 1000, max: 1500 });
    expect(replay?.timesLessThanRsync).toEqual({ min: 10, median: 20, max: 20 });
  });

  test('keep sessions apart, in the order in which they ran', () => {
    const summaries = summarize([runOf(1000, 10, 'one'), runOf(1000, 10, 'two')]);
    expect(summaries.map(({ session, runs }) => [session, runs])).toEqual([
      ['one', 1],
      ['two', 1],
    ]);
  });

  test('keep clocks apart, and ask of virtual time only what is measured in it', () => {
    const bytes = { rsync: { sent: 9000 }, 'reprise-ship': { sent: 900 } };
    const virtual = sessionRun({ ...bytes, 'reprise-replay': { sent: 30 } }, 'one', 'virtual');
    const summaries = summarize([runOf(1000, 10, 'one'), virtual]);
    expect(summaries.map(({ clock, methods }) => [clock, methods.length])).toEqual([
      ['host', 5],
      ['virtual', 3],
    ]);
    expect(summaries[1]?.methods.at(-1)?.timesLessThanRsync.median).toBe(300);
  });

  test('refuse a run in which a method is missing', () => {
    const run = runOf(1000, 10);
    const cut = { ...run, measurements: run.measurements.slice(0, -1) };
    expect(() => summarize([cut])).toThrow(/reprise-replay/);
  });
});
