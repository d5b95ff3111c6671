import { describe, expect, test } from '@jest/globals';

import { summarize, type FidelityRun } from './results.js';

const build = 'b1';
const recordings = ['r0', 'r1', 'r2'];
const measured = { name: 'shell', loaded: false, recordings: new Set(recordings) };

const run = (change: Partial<FidelityRun> = {}): FidelityRun => ({
  ...{ name: 'shell', original: false, sessionSeed: 1, seed: 1, loaded: false },
  ...{ recording: 'r0', build, outcome: 'complete', endSeen: true, missed: [] },
  ...{ sameScreen: true, otherTiles: [], sameFiles: true, otherFiles: [] },
  ...{ anchors: 3, anchorsMissed: 0, replaySeconds: 10, sessionSeconds: 30 },
  ...{ idleShare: 0.8, residueBytes: 110 },
  ...change,
});
const originals = recordings.map((recording) =>
  run({ recording, original: true, seed: 0, residueBytes: 100, replaySeconds: 30 }),
);
const twenty = Array.from({ length: 20 }, (_, i) =>
  run({ seed: i + 1, recording: recordings[i % 3] ?? '' }),
);

describe('what the fidelity benchmark says', () => {
  test('all claims hold when twenty runs ended as their sessions did', () => {
    expect(summarize([...originals, ...twenty], measured, build)).toMatchObject({
      ...{ name: 'shell', runs: 20, sameScreen: 20, sameFiles: 20, originals: 3 },
      residueRatioToOriginalPacing: 1.1,
      verdicts: { screen: 'holds', files: 'holds', time: 'holds', residue: 'holds' },
    });
  });

  test('one run that ended elsewhere, or took too long, is enough against it', () => {
    const one = (change: Partial<FidelityRun>) =>
      summarize([...originals, ...twenty.slice(1), run(change)], measured, build)?.verdicts;
    expect(one({ sameScreen: false })).toMatchObject({ screen: 'fails', files: 'holds' });
    expect(one({ sameFiles: false })).toMatchObject({ screen: 'holds', files: 'fails' });
    expect(one({ replaySeconds: 15.1 })).toMatchObject({ time: 'fails' });
  });

  test('a session whose guest worked for most of it promises no time', () => {
    const busy = twenty.map((one) => ({ ...one, idleShare: 0.4, replaySeconds: 28 }));
    expect(summarize([...originals, ...busy], measured, build)?.verdicts.time).toBe('none');
  });

  test('residue is compared with the same recording, and fails above 15 % more', () => {
    const runs = twenty.map((one) => ({ ...one, residueBytes: 116 }));
    const summary = summarize([...originals, ...runs], measured, build);
    expect(summary?.verdicts.residue).toBe('fails');
    expect(summary?.residueRatioToOriginalPacing).toBeCloseTo(1.16);
    expect(summarize(twenty, measured, build)).toMatchObject({
      residueRatioToOriginalPacing: null,
      verdicts: { residue: 'open' },
    });
  });

  test('few runs leave open what all runs would have to do', () => {
    expect(summarize([...originals, run()], measured, build)?.verdicts).toEqual({
      ...{ screen: 'open', files: 'open', time: 'open', residue: 'open' },
    });
  });

  test('runs of another build, another recording or under another load do not count', () => {
    const others = [run({ build: 'b0' }), run({ recording: 'old' }), run({ loaded: true })];
    expect(summarize([...originals, ...others], measured, build)).toBeUndefined();
    expect(summarize([...originals, ...others, run()], measured, build)?.runs).toBe(1);
  });
});
