/** Two real guests: what a user types into the one, through proxy, log and wire form, is replayed into the other. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import { openConsoleProxy } from '../console/console-proxy.js';
import { keysym } from '../console/keysym.js';
import { RfbClient } from '../console/rfb-client.js';
import { BootSectorGuest } from '../console/testing/boot-sector-guest.js';

import type { SessionEnd } from './input-event.js';
import { readInputLog } from './input-log-reader.js';
import { InputLogWriter } from './input-log-writer.js';
import { packInputLog, unpackInputLog } from './packed-log.js';
import { RecordedGaps } from './recorded-gaps.js';
import { replayInput } from './replay.js';

const secret = randomBytes(32);
let source: BootSectorGuest;
let destination: BootSectorGuest;

beforeAll(async () => {
  source = await BootSectorGuest.start();
  destination = await BootSectorGuest.start();
}, 180_000);

afterAll(async () => {
  await source.close();
  await destination.close();
});

describe('a session recorded at one guest and replayed at another', () => {
  test('ends on the same screen, with every anchor met', async () => {
    const path = join(source.directory, 'input.log');
    const writer = await InputLogWriter.create(path, secret, {
      width: 720,
      height: 400,
      held: [],
      buttons: 0,
    });
    const listen = { path: join(source.directory, 'console') };
    await using proxy = await openConsoleProxy({
      display: source.display,
      listen,
      recorder: writer,
      guestProgress: source.progress,
    });
    await using viewer = await RfbClient.connect(listen.path);
    await using second = await RfbClient.connect(listen.path);
    for (const line of [
      'Hello, World! {1+2} ~',
      'the quick brown fox',
      'jumps over; "the" lazy_dog',
    ]) {
      await viewer.type(line, { gapMs: 40 });
      await delay(900); // think: the cursor blinks meanwhile
      second.extendedKey(keysym.Return, 0x1c, true);
      second.extendedKey(keysym.Return, 0x1c, false);
      await delay(200);
    }
    // The guest changes the size of its display, and goes on in the new one.
    viewer.key(keysym.ControlLeft, true);
    viewer.press(0x61);
    viewer.key(keysym.ControlLeft, false);
    await waitForSize(viewer, 640);
    await viewer.type('in another size', { gapMs: 40 });
    await delay(900);
    second.extendedKey(keysym.Return, 0x1c, true);
    second.extendedKey(keysym.Return, 0x1c, false);
    await delay(200);
    await viewer.type('done');
    await second.waitForQuiet({ quietMs: 100, timeoutMs: 2000 });
    const end = await proxy.endSession();
    const stored = await readInputLog(path, secret);
    await unlink(path);
    expect(stored.complete).toBe(true);

    const log = unpackInputLog(packInputLog(stored));
    await using client = await RfbClient.connect(destination.display);
    const report = await replayInput({
      display: client,
      log,
      pacing: new RecordedGaps({ thinkTimeCapMs: 300 }),
      guestProgress: destination.progress,
      signal: AbortSignal.timeout(120_000),
    });
    expect(report).toMatchObject({ outcome: 'complete', events: log.events.length, missed: [] });
    expect(report.anchors).toBeGreaterThanOrEqual(5);
    expect(end.anchor).toMatchObject({ width: 640, height: 480 });
    expect(await comesToShow(client, end)).toBe(true);
  }, 180_000);
});

async function waitForSize(viewer: RfbClient, width: number): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (viewer.width !== width && performance.now() < deadline)
    await viewer.waitForChange({ timeoutMs: 500 });
}

/** The cursor blinks, and only one of its two phases was recorded: one look could meet the other. */
async function comesToShow(client: RfbClient, { anchor }: SessionEnd): Promise<boolean> {
  const deadline = performance.now() + 10_000;
  do {
    const since = client.changes;
    if (client.digest(anchor?.mask) === anchor?.digest) return true;
    await client.waitForChange({ since, timeoutMs: 500 });
  } while (performance.now() < deadline);
  return false;
}
