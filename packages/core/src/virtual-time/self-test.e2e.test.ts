import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { expect, test } from '@jest/globals';

import { virtualTimeReadiness } from './readiness.js';
import { runSelfTest } from './self-test.js';

async function withEnvironment<T>(name: string, value: string, use: () => Promise<T>): Promise<T> {
  const before = process.env[name];
  process.env[name] = value;
  try {
    return await use();
  } finally {
    if (before === undefined) Reflect.deleteProperty(process.env, name);
    else process.env[name] = before;
  }
}

async function withCache<T>(use: (cache: string) => Promise<T>): Promise<T> {
  const cache = await mkdtemp(join(tmpdir(), 'reprise-cache-'));
  try {
    return await withEnvironment('XDG_CACHE_HOME', cache, () => use(cache));
  } finally {
    await rm(cache, { recursive: true, force: true });
  }
}

test('a host is tested once, and what came of it is remembered', async () => {
  await withCache(async (cache) => {
    const first = await virtualTimeReadiness();
    if (!first.ready) throw new Error(first.because);
    expect(first).toMatchObject({ ready: true, cached: false });
    expect(await virtualTimeReadiness()).toMatchObject({ ready: true, cached: true });
    expect(await readdir(join(cache, 'reprise', 'virtual-time'))).toHaveLength(1);
  });
});

test('a host whose QEMU takes no plugin fails, says why, and is tested again the next time', async () => {
  await withCache(async (cache) => {
    const plugin = join(cache, 'vclock.so');
    await writeFile(plugin, 'no plugin');
    const readiness = await withEnvironment('REPRISE_VCLOCK_PLUGIN', plugin, () =>
      virtualTimeReadiness(),
    );
    expect(readiness).toMatchObject({ ready: false, because: expect.stringMatching(/QEMU/) });
    expect(await readdir(cache)).toEqual(['vclock.so']);
  });
});

test('a replay that is not exact fails the test, and tells in what', async () => {
  const rewriteArguments = (args: readonly string[]) =>
    args.map((arg) => arg.replace(/^(virtio-blk.*),ioeventfd=off/, '$1'));
  const result = await runSelfTest(undefined, { rewriteArguments });
  expect(result.passed).toBe(false);
  expect(result.found).toMatch(/differed from its session in .*ram/);
});
