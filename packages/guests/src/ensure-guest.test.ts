import { createHash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { ensureGuest, GuestError, type GuestName } from './index.js';

test('tiny is built or found, and its description tells the truth', async () => {
  const guest = await ensureGuest('tiny');
  const text = await readFile(join(guest.directory, 'guest.json'), 'utf8');
  const description = JSON.parse(text) as {
    files: Record<string, { bytes: number; sha256: string }>;
    builtFrom: { packages: string[] };
  };
  for (const [name, path] of [
    ['vmlinuz', guest.kernel],
    ['initrd', guest.initrd],
    ['disk.raw', guest.disk],
  ] as const) {
    const content = await readFile(path);
    expect(description.files[name]).toEqual({
      bytes: content.length,
      sha256: createHash('sha256').update(content).digest('hex'),
    });
  }
  expect(description.builtFrom.packages.join(' ')).toContain('busybox-static=');
  expect((await stat(guest.disk)).size).toBe(guest.diskBytes);
  expect(guest.memoryMiB).toBeLessThanOrEqual(128);
}, 300_000);

test('an unknown guest is refused with the names there are', async () => {
  const refused = ensureGuest('huge' as GuestName);
  await expect(refused).rejects.toThrow(GuestError);
  await expect(refused).rejects.toMatchObject({
    code: 'GUEST_UNKNOWN',
    message: expect.stringContaining('tiny, desktop'),
  });
});
