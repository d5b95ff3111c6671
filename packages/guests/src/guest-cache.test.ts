import { mkdir, mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { throwIfCancelled } from './command.js';
import { guestsDirectory, obtainGuest, type GuestBuilder } from './guest-cache.js';
import { IMAGE_FILES } from './guest-build.js';
import { acquireLock } from './lock.js';
import { tiny } from './tiny.js';

const quiet = { onProgress: () => undefined };

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'reprise-guests-'));
});
afterEach(async () => {
  await rm(root, { recursive: true, force: true });
});

/** Builds small files in place of a kernel and a disk: these tests are about the cache around a build. */
const writeSmallGuest: GuestBuilder = async (_recipe, directory) => {
  const files: Record<string, { bytes: number }> = {};
  for (const file of IMAGE_FILES) {
    await writeFile(join(directory, file), file);
    files[file] = { bytes: file.length };
  }
  await writeFile(join(directory, 'guest.json'), JSON.stringify({ files }));
};

const visible = async (): Promise<string[]> =>
  (await readdir(root)).filter((name) => !name.startsWith('.') || name.startsWith('.building'));

describe('the directory of guests', () => {
  test('follows REPRISE_CACHE, then XDG_CACHE_HOME, then the home directory; empty counts as unset', () => {
    expect(guestsDirectory({ REPRISE_CACHE: '/c', XDG_CACHE_HOME: '/x' })).toBe('/c/guests');
    expect(guestsDirectory({ REPRISE_CACHE: '', XDG_CACHE_HOME: '/x' })).toBe('/x/reprise/guests');
    expect(guestsDirectory({})).toMatch(/\.cache\/reprise\/guests$/);
  });
});

describe('obtaining a guest', () => {
  test('builds it once and then takes it from the cache', async () => {
    const build = jest.fn(writeSmallGuest);
    const first = await obtainGuest(tiny, build, root, quiet);
    const second = await obtainGuest(tiny, build, root, quiet);
    expect(second).toEqual(first);
    expect(build).toHaveBeenCalledTimes(1);
    expect(await readFile(first.kernel, 'utf8')).toBe('vmlinuz');
    expect(await visible()).toEqual([expect.stringMatching(/^tiny-[0-9a-f]{16}$/)]);
  });

  test('builds once for callers that come at the same time', async () => {
    const build = jest.fn(writeSmallGuest);
    const guests = await Promise.all(
      Array.from({ length: 4 }, () => obtainGuest(tiny, build, root, quiet)),
    );
    expect(build).toHaveBeenCalledTimes(1);
    expect(new Set(guests.map((guest) => guest.directory)).size).toBe(1);
  });

  test('builds again when a file of the cached guest was cut short', async () => {
    const build = jest.fn(writeSmallGuest);
    const guest = await obtainGuest(tiny, build, root, quiet);
    await truncate(guest.disk, 1);
    await obtainGuest(tiny, build, root, quiet);
    expect(build).toHaveBeenCalledTimes(2);
    expect((await stat(guest.disk)).size).toBe('disk.raw'.length);
  });

  test('removes guests of older recipes and left-over builds of this guest, and nothing else', async () => {
    const others = ['desktop-0123456789abcdef', 'tiny-by-hand', '.building-desktop-x'];
    for (const name of [...others, 'tiny-0123456789abcdef', '.building-tiny-killed']) {
      await mkdir(join(root, name));
    }
    await obtainGuest(tiny, writeSmallGuest, root, quiet);
    const left = await visible();
    expect(left).toEqual(expect.arrayContaining(others));
    expect(left).toHaveLength(others.length + 1);
  });

  test('shows no guest while it is built', async () => {
    await obtainGuest(
      tiny,
      async (recipe, directory, o) => {
        expect(await visible()).toEqual([expect.stringMatching(/^\.building-tiny-/)]);
        await writeSmallGuest(recipe, directory, o);
      },
      root,
      quiet,
    );
    expect.assertions(1);
  });

  test('leaves nothing behind when a build fails, and the next one succeeds', async () => {
    const failing: GuestBuilder = async (_recipe, directory) => {
      await writeFile(join(directory, 'vmlinuz'), 'half');
      throw new Error('disk full');
    };
    await expect(obtainGuest(tiny, failing, root, quiet)).rejects.toThrow('disk full');
    expect(await visible()).toEqual([]);
    await expect(obtainGuest(tiny, writeSmallGuest, root, quiet)).resolves.toMatchObject({
      name: 'tiny',
    });
  });

  test('leaves nothing behind when it is cancelled', async () => {
    const cancel = new AbortController();
    const cancelled: GuestBuilder = async (_recipe, directory, o) => {
      await writeFile(join(directory, 'vmlinuz'), 'half');
      cancel.abort();
      throwIfCancelled(o.signal);
    };
    await expect(
      obtainGuest(tiny, cancelled, root, { ...quiet, signal: cancel.signal }),
    ).rejects.toMatchObject({ code: 'GUEST_BUILD_CANCELLED' });
    expect(await visible()).toEqual([]);
  });

  test('waits while somebody else builds, says so, and can be cancelled meanwhile', async () => {
    await using held = await acquireLock(join(root, '.tiny.lock'), {});
    const cancel = new AbortController();
    const lines: string[] = [];
    const waiting = obtainGuest(tiny, writeSmallGuest, root, {
      signal: cancel.signal,
      onProgress: (line) => {
        lines.push(line);
        cancel.abort();
      },
    });
    await expect(waiting).rejects.toMatchObject({ code: 'GUEST_BUILD_CANCELLED' });
    expect(lines).toEqual([expect.stringContaining('waiting for another build')]);
    await held.release();
    await expect(obtainGuest(tiny, writeSmallGuest, root, quiet)).resolves.toBeDefined();
  });
});
