import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';

import { runScaleBenchmark } from './scale-benchmark.js';
import { scaleTable } from './scale-table.js';

describe('the bench of a large machine', () => {
  const cache = process.env['REPRISE_CACHE'];
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'bench-scale-'));
    process.env['REPRISE_CACHE'] = directory;
  });
  afterEach(async () => {
    if (cache === undefined) delete process.env['REPRISE_CACHE'];
    else process.env['REPRISE_CACHE'] = cache;
    await rm(directory, { recursive: true, force: true });
  });

  test('finds exactly what it changed, at every step', async () => {
    const result = await runScaleBenchmark({
      ...{ diskGiB: 0.0625, writtenGiB: 0.03125, ramGiB: 0.015625, changedShare: 0.02 },
      onProgress: () => undefined,
    });
    const of = (step: string) => result.steps.find((one) => one.step === step)?.detail;
    expect(of('plan')).toMatch(new RegExp(`^${String(result.changedPages)} pages`));
    expect(of('index of the next snapshot')).toMatch(
      new RegExp(`^${String(result.changedPages)} contents added`),
    );
    expect(of('encode and apply, zstd -3')).toMatch(
      new RegExp(`^${String(result.changedPages)} pages in`),
    );
    expect(scaleTable(result)).toContain('first index');
    const read = new Map(result.steps.map((one) => [one.step, one.bytesRead]));
    const whole = result.ramBytes + result.writtenBytes;
    // RAM and disk are looked at twice for the index (contents, sketches), once for the leaves.
    expect(read.get('first leaves (SHA-256)')).toBe(whole);
    expect(read.get('leaves of what changed')).toBe(16 * 4096 * result.changedPages);
    const unbounded = /^first|^working copy/;
    expect(result.steps.map((one) => one.holds)).toEqual(
      result.steps.map((one) => (unbounded.test(one.step) ? undefined : true)),
    );
    expect(of('snapshot after a session (store)')).toMatch(
      new RegExp(`^${String(result.changedPages)} pages and blocks`),
    );
  });
});
