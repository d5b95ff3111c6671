import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { once } from 'node:events';

import { frameDigest } from '../console/frame.js';
import { keysym } from '../console/keysym.js';
import { RfbClient } from '../console/rfb-client.js';
import { RecordingDisplay } from '../console/testing/recording-display.js';

import type { Anchor, InputEvent, InputLog, TimedInput } from './input-event.js';
import type { PacingStrategy } from './pacing.js';
import { RecordedGaps } from './recorded-gaps.js';
import { replayInput, type ReplayProgress } from './replay.js';

let display: RecordingDisplay;

beforeEach(async () => {
  display = await RecordingDisplay.start();
});

afterEach(async () => {
  await display.close();
});

const key = (sym: number, down = true): InputEvent => ({ kind: 'key', down, keysym: sym });
const guestProgress = (): Promise<{ cpuMs: number }> => Promise.resolve({ cpuMs: 0 });
const header = { width: 128, height: 96, held: [], buttons: 0 };
const eager: PacingStrategy = new RecordedGaps({ thinkTimeCapMs: 20, minGapMs: 1 });
const never = new AbortController().signal;

const screenOf = (colour: number): Anchor => {
  const pixels = new Uint8Array(new Uint32Array(128 * 96).fill(colour).buffer);
  return {
    digest: frameDigest({ width: 128, height: 96, pixels }),
    width: 128,
    height: 96,
    mask: [],
    cpuMs: 0,
  };
};

const logOf = (...inputs: TimedInput[]): InputLog => ({
  header,
  events: inputs,
  end: { atMs: (inputs.at(-1)?.atMs ?? 0) + 100 },
});

describe('replay', () => {
  test('puts every event in, once, in order, and reports progress to the end', async () => {
    const events: InputEvent[] = Array.from({ length: 300 }, (_, i) =>
      key(0x61 + (i % 20), i % 2 === 0),
    );
    const log = logOf(...events.map((event, i) => ({ atMs: i * 5, event })));
    const told: ReplayProgress[] = [];
    const report = await replayInput({
      display: display.path,
      log,
      pacing: eager,
      guestProgress,
      signal: never,
      onProgress: (p) => told.push(p),
    });
    await display.until(() => display.inputs.length === 300);
    expect(display.inputs).toEqual(events);
    expect(report).toMatchObject({
      outcome: 'complete',
      pacing: 'recorded-gaps',
      events: 300,
      anchors: 0,
      anchorsMissed: 0,
    });
    expect(told.at(-1)).toMatchObject({
      events: 300,
      totalEvents: 300,
      sessionMs: 1595,
      totalSessionMs: 1595,
    });
  });

  test('puts in a tap in one piece, so that no guest can repeat the key, and a longer press as it was', async () => {
    const log = logOf(
      { atMs: 0, event: key(0x61) },
      { atMs: 30, event: key(0x62) },
      { atMs: 60, event: key(0x61, false) },
      { atMs: 90, event: key(0x62, false) },
      { atMs: 100, event: key(0x63) },
      { atMs: 600, event: key(0x63, false) },
    );
    const atOnce: number[] = [];
    const report = await replayInput({
      display: display.path,
      log,
      pacing: eager,
      guestProgress,
      inputBacklog: () => {
        atOnce.push(display.inputs.length);
        return Promise.resolve(0);
      },
      signal: never,
    });
    expect(report).toMatchObject({ outcome: 'complete', events: 6 });
    await display.until(() => display.inputs.length === 6);
    expect(display.inputs).toEqual([
      key(0x61),
      key(0x61, false),
      key(0x62),
      key(0x62, false),
      key(0x63),
      key(0x63, false),
    ]);
    expect(atOnce.filter((count) => count === 1 || count === 3)).toEqual([]);
  });

  test('lets no input go before the guest has taken the one before', async () => {
    let looks = 0;
    const log = logOf(
      { atMs: 0, event: key(0x61) },
      { atMs: 10, event: key(0x61, false) },
      { atMs: 20, event: { kind: 'pointer', x: 1, y: 1, buttons: 1 } },
      { atMs: 30, event: { kind: 'pointer', x: 1, y: 1, buttons: 0 } },
    );
    await replayInput({
      display: display.path,
      log,
      pacing: eager,
      guestProgress,
      inputBacklog: () => Promise.resolve(3 - (looks++ % 4)),
      signal: never,
    });
    await display.until(() => display.inputs.length === 4);
    expect(looks).toBe(8);
  });

  test('puts in what is no key as it was recorded, and keysyms of any alphabet', async () => {
    const events: InputEvent[] = [
      {
        kind: 'resize',
        width: 800,
        height: 600,
        screens: [{ id: 1, x: 0, y: 0, width: 800, height: 600, flags: 0 }],
      },
      { kind: 'clipboard', extended: true, data: new Uint8Array([0, 0, 0, 1, 9]) },
      { kind: 'clipboard', extended: false, data: new Uint8Array([0xe9]) },
      { kind: 'extended-key', keysym: 0x6c6, keycode: 0x1e, down: true },
      { kind: 'extended-key', keysym: 0x6c6, keycode: 0x1e, down: false },
      key(0x010020ac),
      key(0x010020ac, false),
    ];
    await replayInput({
      display: display.path,
      log: logOf(...events.map((event, i) => ({ atMs: 10 * i, event }))),
      pacing: eager,
      guestProgress,
      signal: never,
    });
    await display.until(() => display.inputs.length === events.length);
    expect(display.inputs).toEqual(events);
  });

  test('waits for an anchor until the screen shows it', async () => {
    const log = logOf(
      { atMs: 10, event: key(0x61) },
      { atMs: 20, event: key(0x61, false) },
      { atMs: 30, event: key(keysym.Return), anchor: screenOf(0xabcdef) },
    );
    const replay = replayInput({
      display: display.path,
      log,
      pacing: eager,
      guestProgress,
      signal: never,
    });
    await display.until(() => display.inputs.length === 2);
    display.draw(0, 0, 128, 50, 0xabcdef);
    expect(display.inputs).toHaveLength(2);
    display.draw(0, 50, 128, 46, 0xabcdef);
    const report = await replay;
    expect(report).toMatchObject({ outcome: 'complete', events: 3, anchors: 1, anchorsMissed: 0 });
  });

  test('an anchor that was recorded before the last letter came up counts as seen, though the letter is there by now', async () => {
    const before = screenOf(0);
    const log = logOf(
      { atMs: 10, event: key(0x61) },
      { atMs: 25, event: key(0x61, false) },
      { atMs: 30, event: key(keysym.Return), anchor: before },
      { atMs: 900, event: key(keysym.Return), anchor: before },
    );
    const replay = replayInput({
      display: display.path,
      log,
      pacing: eager,
      guestProgress,
      signal: never,
    });
    await display.until(() => display.inputs.length === 2);
    display.draw(0, 0, 16, 16, 0xffffff);
    // The second one's screen was not there after the input before it.
    expect(await replay).toMatchObject({ events: 4, anchors: 2, anchorsMissed: 1 });
  });

  test('says so when from some point on no recorded screen came, to the end', async () => {
    const log = logOf(
      { atMs: 10, event: key(keysym.Return), anchor: screenOf(0) },
      ...[1, 2, 3].map((n) => ({ atMs: 10 * n, event: key(keysym.Return), anchor: screenOf(n) })),
    );
    const told: ReplayProgress[] = [];
    const report = await replayInput({
      ...{ display: display.path, log, pacing: eager, guestProgress, signal: never },
      onProgress: (p) => told.push(p),
    });
    expect(report).toMatchObject({ outcome: 'diverged', events: 4, anchors: 4, anchorsMissed: 3 });
    expect(told.at(-1)).toMatchObject({ missesInARow: 3, matchedMs: 10 });
  });

  test('goes on after an anchor that never comes, and says which one it was', async () => {
    const log = logOf(
      { atMs: 10, event: key(0x61) },
      { atMs: 50, event: key(keysym.Return), anchor: screenOf(1) },
      { atMs: 90, event: key(0x62) },
    );
    const report = await replayInput({
      display: display.path,
      log,
      pacing: eager,
      guestProgress,
      signal: never,
    });
    expect(report).toMatchObject({ outcome: 'complete', events: 3, anchors: 1, anchorsMissed: 1 });
    expect(report.missed).toEqual([
      { index: 1, atMs: 50, reason: expect.stringContaining('screen') },
    ]);
  });

  test.each([
    ['came', 0x123456],
    ['did not come', 0x654321],
  ])("says whether the session's last screen %s", async (_what, shown) => {
    display.draw(0, 0, 128, 96, shown);
    const report = await replayInput({
      display: display.path,
      log: { header, events: [], end: { atMs: 50, anchor: screenOf(0x123456) } },
      pacing: eager,
      guestProgress,
      signal: never,
    });
    expect(report).toMatchObject({ outcome: 'complete', endSeen: shown === 0x123456 });
  });

  test('releases a key before it waits longer than recorded, so that it cannot repeat, and only then', async () => {
    const log = logOf(
      { atMs: 10, event: key(keysym.ShiftLeft) },
      { atMs: 20, event: key(0x61) },
      { atMs: 40, event: key(keysym.Return), anchor: screenOf(0x777777) },
      { atMs: 50, event: key(0x61, false) },
      { atMs: 60, event: key(keysym.Return, false) },
      { atMs: 70, event: key(keysym.ShiftLeft, false) },
    );
    const replay = replayInput({
      display: display.path,
      log,
      pacing: eager,
      guestProgress,
      signal: never,
    });
    await display.until(() => display.inputs.length === 3);
    display.draw(0, 0, 128, 96, 0x777777);
    expect((await replay).events).toBe(6);
    expect(display.inputs).toEqual([
      key(keysym.ShiftLeft),
      key(0x61),
      key(0x61, false),
      key(keysym.Return),
      key(keysym.Return, false),
      key(keysym.ShiftLeft, false),
    ]);
  });

  test('aborted, releases everything that is pressed', async () => {
    const abort = new AbortController();
    const log = logOf(
      { atMs: 10, event: key(keysym.ControlLeft) },
      { atMs: 20, event: { kind: 'extended-key', down: true, keysym: 0x61, keycode: 30 } },
      { atMs: 30, event: { kind: 'pointer', x: 7, y: 8, buttons: 1 } },
      { atMs: 1e7, event: key(0x62) },
    );
    const patient = new RecordedGaps({ thinkTimeCapMs: 1e9 });
    await using client = await RfbClient.connect(display.path);
    const replay = replayInput({
      display: client,
      log,
      pacing: patient,
      guestProgress,
      signal: abort.signal,
    });
    await display.until(() => display.inputs.length === 3);
    abort.abort();
    expect(await replay).toMatchObject({ outcome: 'aborted', events: 3 });
    await display.until(() => display.inputs.length === 6);
    expect(display.inputs.slice(3)).toEqual([
      { kind: 'extended-key', down: false, keysym: 0x61, keycode: 30 },
      key(keysym.ControlLeft, false),
      { kind: 'pointer', x: 7, y: 8, buttons: 0 },
    ]);
    expect(client.open).toBe(true);
  });

  test('leaves pressed what the log leaves pressed', async () => {
    await using client = await RfbClient.connect(display.path);
    const log = logOf({ atMs: 10, event: key(keysym.ShiftLeft) });
    await replayInput({ display: client, log, pacing: eager, guestProgress, signal: never });
    await client.screenshot();
    expect(display.inputs).toEqual([key(keysym.ShiftLeft)]);
  });

  test('a display that goes away ends the replay with a report', async () => {
    const log = logOf({ atMs: 10, event: key(0x61) }, { atMs: 1e6, event: key(0x62) });
    const patient = new RecordedGaps({ thinkTimeCapMs: 1e9 });
    const replay = replayInput({
      display: display.path,
      log,
      pacing: patient,
      guestProgress,
      signal: never,
    });
    await display.until(() => display.inputs.length === 1);
    display.drop();
    expect(await replay).toMatchObject({
      outcome: 'display-lost',
      events: 1,
      failure: expect.any(String),
    });
  });

  test('a reading of the guest progress that hangs or fails does not hang the replay', async () => {
    const log = logOf({ atMs: 10, event: key(keysym.Return), anchor: screenOf(0) });
    const abort = new AbortController();
    const hanging = (): Promise<{ cpuMs: number }> =>
      once(abort.signal, 'abort').then(() => ({ cpuMs: 0 }));
    expect(
      await replayInput({
        display: display.path,
        log,
        pacing: eager,
        guestProgress: hanging,
        signal: never,
      }),
    ).toMatchObject({ outcome: 'complete' });
    const failing = (): Promise<{ cpuMs: number }> => Promise.reject(new Error('no such process'));
    expect(
      await replayInput({
        display: display.path,
        log,
        pacing: eager,
        guestProgress: failing,
        signal: never,
      }),
    ).toMatchObject({ outcome: 'complete' });
    abort.abort();
  });
});
