import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { writeFile } from 'node:fs/promises';
import { PNG } from 'pngjs';

import { frameDigest } from './frame.js';
import { encodePng } from './png.js';
import { RfbClient } from './rfb-client.js';
import { BootSectorGuest } from './testing/boot-sector-guest.js';

let guest: BootSectorGuest;

beforeAll(async () => {
  guest = await BootSectorGuest.start();
}, 90_000);

afterAll(async () => {
  await guest.close();
});

describe('RfbClient on a real display', () => {
  test('typing changes the screen, and the kept digest equals that of a fresh screenshot', async () => {
    await using client = await RfbClient.connect(guest.display);
    const before = await client.screenshot();
    await client.type('Hello, RFB!');
    expect(await client.waitForChange({ timeoutMs: 5000, since: 0 })).toBe(true);
    await client.waitForQuiet({ quietMs: 150, timeoutMs: 3000 });
    const after = await client.screenshot();
    if (process.env['KEEP_PNG'] !== undefined)
      await writeFile(process.env['KEEP_PNG'], encodePng(after));
    expect(frameDigest(after)).not.toBe(frameDigest(before));
    const digest = client.digest();
    expect(frameDigest(await client.frame())).toBe(digest);
    const png = PNG.sync.read(encodePng(after));
    expect([png.width, png.height]).toEqual([after.width, after.height]);
  });
});
