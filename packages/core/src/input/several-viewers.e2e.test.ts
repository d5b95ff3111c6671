import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

import { keysym, openConsoleProxy, RfbClient } from '../console/index.js';
import { HeldKeys } from '../console/held-keys.js';
import { NetworkedGuest } from '../gate/testing/networked-guest.js';
import type { PoweredVm } from '../supervisor/index.js';

import { ByEvidence } from './by-evidence.js';
import { packInputLog, unpackInputLog } from './packed-log.js';
import { replayInput } from './replay.js';
import { Tape } from './testing/tape.js';

const SAID_TIMEOUT_MS = 120_000;

/** What the guest's user wrote, as its serial port tells. */
async function written(serialLog: string): Promise<string> {
  const deadline = Date.now() + SAID_TIMEOUT_MS;
  for (;;) {
    const said = (await readFile(serialLog, 'latin1').catch(() => '')).replaceAll('\r', '');
    const text = /<<<\n([^]*)>>>/.exec(said)?.[1];
    if (text !== undefined || Date.now() > deadline) return text ?? said;
    await sleep(200);
  }
}

const TYPED = [
  'one types, ',
  'the other goes on',
  ' 1+1=2',
  ' lower after the viewer came back',
  ' aa',
];

/** Two people at one console: they take turns in one line, leave and come back, and send what is no key. */
async function sitDown({ vm }: PoweredVm, tape: Tape, directory: string): Promise<void> {
  const path = join(directory, 'console');
  await using proxy = await openConsoleProxy({
    display: vm.display,
    listen: { path },
    recorder: tape,
    guestProgress: () => vm.progress(),
    inputBacklog: async () => await vm.inputBacklog?.(),
  });
  const gap = { gapMs: 25 };
  await using other = await RfbClient.connect(path);
  {
    await using one = await RfbClient.connect(path);
    await one.type('cat > typed\n', gap);
    await other.waitForQuiet({ quietMs: 1_000, timeoutMs: 60_000 });
    await one.type(TYPED[0] ?? '', gap);
    await one.screenshot();
    await other.type(TYPED[1] ?? '', gap);
    // What is no key: the other viewer's clipboard and the size of its window.
    other.send({ kind: 'clipboard', extended: false, data: Buffer.from('für später', 'latin1') });
    other.resize(1024, 768, [{ id: 0, x: 0, y: 0, width: 1024, height: 768, flags: 0 }]);
    await other.screenshot();
    await one.type(TYPED[2] ?? '', gap);
    await one.screenshot();
    // It leaves with Shift and a button down.
    one.key(keysym.ShiftLeft, true);
    one.pointer(100, 100, 1);
    await one.screenshot();
  }
  await using again = await RfbClient.connect(path);
  await again.type(TYPED[3] ?? '', gap);
  await again.screenshot();
  // Keys by their place, from a keyboard with another alphabet; then a sign that no key of the guest sends.
  for (const cyrillic of [0x6c6, 0x6e6]) {
    if (cyrillic === 0x6c6) await other.type(' ', gap);
    other.extendedKey(cyrillic, 0x1e, true);
    other.extendedKey(cyrillic, 0x1e, false);
    await sleep(50);
  }
  other.press(0x010020ac);
  await other.type('\n', gap);
  await other.waitForQuiet({ quietMs: 1_000, timeoutMs: 60_000 });
  await again.screenshot();
  again.key(keysym.ControlLeft, true);
  again.press(0x64);
  again.key(keysym.ControlLeft, false);
  await again.waitForQuiet({ quietMs: 1_000, timeoutMs: 60_000 });
  await again.type("(echo '<<<'; cat typed; echo '>>>') > /dev/ttyS0\n", gap);
  await again.waitForQuiet({ quietMs: 1_500, timeoutMs: 60_000 });
  // The session ends with something pressed.
  again.key(keysym.AltLeft, true);
  again.pointer(200, 200, 4);
  await again.screenshot();
  await proxy.endSession();
}

describe('a session of several viewers', () => {
  let guest: NetworkedGuest;
  let directory: string;

  beforeAll(async () => {
    guest = await NetworkedGuest.prepare();
    directory = await mkdtemp(join(tmpdir(), 'reprise-viewers-'));
  });

  afterAll(async () => {
    await guest[Symbol.asyncDispose]();
    await rm(directory, { recursive: true, force: true });
  });

  test('is one log, which leaves nothing pressed and says the same again in a replay', async () => {
    const tape = new Tape();
    await guest.resumed({ gate: 'closed' }, async (powered, serialLog) => {
      await sitDown(powered, tape, directory);
      expect(await written(serialLog)).toBe(`${TYPED.join('')}\n`);
    });
    const log = unpackInputLog(packInputLog(tape.log()));
    expect(log.events.map(({ event }) => event)).toEqual(tape.events);
    const held = new HeldKeys();
    let buttons = 0;
    for (const { event } of log.events) {
      if (event.kind === 'key' || event.kind === 'extended-key') held.apply(event);
      if (event.kind === 'pointer') buttons = event.buttons;
    }
    expect([held.keys(), buttons]).toEqual([[], 0]);
    for (const kind of ['resize', 'clipboard'] as const)
      expect(log.events.filter(({ event }) => event.kind === kind)).toHaveLength(1);

    await guest.resumed({ gate: 'closed' }, async ({ vm }, serialLog) => {
      await using display = await RfbClient.connect(vm.display);
      const report = await replayInput({
        ...{ display, log, pacing: new ByEvidence(), signal: new AbortController().signal },
        guestProgress: () => vm.progress(),
        inputBacklog: async () => await vm.inputBacklog?.(),
      });
      // All of it went in. Its screens need not come again: a sign that was typed ahead of the prompt stands before it.
      expect(['complete', 'diverged']).toContain(report.outcome);
      expect(report.events).toBe(log.events.length);
      expect(await written(serialLog)).toBe(`${TYPED.join('')}\n`);
    });
  }, 600_000);
});
