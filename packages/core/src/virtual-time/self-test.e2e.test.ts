import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { expect, test } from '@jest/globals';

import { virtualTimeReadiness } from './readiness.js';

test('a host is tested once, and what came of it is remembered', async () => {
  const before = process.env['XDG_CACHE_HOME'];
  const cache = await mkdtemp(join(tmpdir(), 'reprise-cache-'));
  process.env['XDG_CACHE_HOME'] = cache;
  try {
    const first = await virtualTimeReadiness();
    if (!first.ready) throw new Error(first.because);
    expect(first).toMatchObject({ ready: true, cached: false });
    expect(await virtualTimeReadiness()).toMatchObject({ ready: true, cached: true });
    expect(await readdir(join(cache, 'reprise', 'virtual-time'))).toHaveLength(1);
  } finally {
    if (before === undefined) delete process.env['XDG_CACHE_HOME'];
    else process.env['XDG_CACHE_HOME'] = before;
    await rm(cache, { recursive: true, force: true });
  }
});
