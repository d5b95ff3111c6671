import { execFileSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';

import { RfbClient } from '../console/index.js';
import { readInputLog, type InputLog } from '../input/index.js';
import { migrate } from '../migration/index.js';
import { openStore } from '../snapshot/index.js';
import { childrenOf, untilGone } from '../testing/processes.js';
import {
  bootTiny,
  emptyPair,
  plainFiles,
  seedTo,
  typeLines,
  VM,
  type Pair,
} from '../testing/tiny-pair.js';
import { keyNumber } from '../console/key-number.js';

import { discardSession, startVm, suspendVm, vmStatus } from './index.js';

/** Of each victim; more for whoever looks for a rare one. */
const ROUNDS = Number(process.env['REPRISE_KILL_ROUNDS'] ?? 1);
const LOG_TIMEOUT_MS = 60_000;
/** Nothing beyond it can be written to any file: most of the guest's disk. */
const FULL_DISK_BYTES = 1 << 20;
const MD5_OF_3000_LINES = 'ee9762749fc5338b6c9b0948d14219c7';
const TEXT = 'abcdefghijklmnopqrstuvwxyz';

/** What a part of a running VM is known by in its command line. */
const parts = {
  'the disk process': (command: string) => command.includes('disk-process'),
  'the network process': (command: string) => command.includes('reprise-network'),
  QEMU: (command: string) =>
    command.includes('qemu-system') && !command.includes('reprise-network'),
};

async function processOf(supervisor: number, part: keyof typeof parts): Promise<number> {
  const found = (await childrenOf(supervisor)).find(({ command }) => parts[part](command));
  if (found === undefined) throw new Error(`the supervisor has no child that is ${part}`);
  return found.pid;
}

/** Types until it is disposed, or the console is gone. */
function keepTyping(console: string): AsyncDisposable {
  const over = new AbortController();
  const typed = (async () => {
    await using viewer = await RfbClient.connect(console);
    while (!over.signal.aborted) await viewer.type(TEXT, { gapMs: 25 });
  })().catch(() => undefined);
  return {
    [Symbol.asyncDispose]: async () => {
      over.abort();
      await typed;
    },
  };
}

describe('a session in virtual time whose parts are killed at any moment', () => {
  let pair: Pair;
  let home: string;

  beforeAll(async () => {
    pair = await emptyPair();
    ({ home } = pair.here);
    await bootTiny(home, { clock: 'virtual', network: 'user' });
    await seedTo(pair.here, pair.there);
  }, 300_000);

  afterEach(async () => {
    if ((await vmStatus(home, VM)) !== undefined) await discardSession(home, VM);
  });

  afterAll(async () => {
    await pair[Symbol.asyncDispose]();
  });

  /** The log of the session that is running, or broke off. */
  async function workingLog(): Promise<InputLog & { complete: boolean }> {
    await using store = await openStore({ home });
    const path = (await store.workingCopy(VM))?.paths.inputLog ?? '';
    return await readInputLog(path, await store.deriveKey(VM, 'input-log'));
  }

  /** Input that the guest has, and that nothing may take from the log any more. */
  async function acknowledged(least: number): Promise<number> {
    const deadline = Date.now() + LOG_TIMEOUT_MS;
    for (;;) {
      const { inputEvents } = (await vmStatus(home, VM)) ?? { inputEvents: 0 };
      if (inputEvents >= least) return inputEvents;
      if (Date.now() > deadline) throw new Error('no input reaches the guest');
      await sleep(20);
    }
  }

  async function untilStoppedByDisk(): Promise<void> {
    const deadline = Date.now() + LOG_TIMEOUT_MS;
    while (
      (await vmStatus(home, VM))?.warnings.some((text) => text.includes('its disk')) !== true
    ) {
      if (Date.now() > deadline) throw new Error('the guest does not mind its disk');
      await sleep(100);
    }
  }

  /** The presses in a log are a beginning of what was typed. */
  function expectPrefix({ events }: InputLog): void {
    const pressed = events.flatMap(({ event }) =>
      event.kind === 'extended-key' && event.down ? [event.keycode] : [],
    );
    const typed = pressed.map((_, i) => keyNumber(TEXT.charCodeAt(i % TEXT.length)));
    expect(pressed).toEqual(typed);
  }

  const rounds = Array.from({ length: ROUNDS }, (_, round) => round);

  test.each(rounds)(
    'ends when QEMU is killed, with all in the log that QEMU had (%i)',
    async () => {
      const { console, pid } = await startVm(home, VM);
      await using _typing = keepTyping(console);
      const qemu = await processOf(pid, 'QEMU');
      await sleep(Math.random() * 3_000);
      const had = await acknowledged(1);
      process.kill(qemu, 'SIGKILL');
      await untilGone([pid, qemu]);
      const log = await workingLog();
      expect(log.complete).toBe(false);
      expect(log.events.length).toBeGreaterThanOrEqual(had);
      expectPrefix(log);
      await expect(startVm(home, VM)).rejects.toMatchObject({ code: 'SESSION_INTERRUPTED' });
      await startVm(home, VM, { leftover: 'discard' });
    },
  );

  test.each(rounds)(
    'ends when its controller is killed, with all in the log that was acknowledged (%i)',
    async () => {
      const { console, pid } = await startVm(home, VM);
      await using _typing = keepTyping(console);
      const children = await childrenOf(pid);
      await acknowledged(1);
      await sleep(Math.random() * 3_000);
      const had = await acknowledged(1);
      process.kill(pid, 'SIGKILL');
      await untilGone([pid, ...children.map((child) => child.pid)]);
      const log = await workingLog();
      expect(log.complete).toBe(false);
      expect(log.events.length).toBeGreaterThanOrEqual(had);
      expectPrefix(log);
      await expect(startVm(home, VM)).rejects.toMatchObject({ code: 'SESSION_INTERRUPTED' });
      await startVm(home, VM, { leftover: 'discard' });
    },
  );

  test('is suspended with nothing lost but its log when its disk takes no more', async () => {
    const { console, pid } = await startVm(home, VM);
    await typeLines(console, ['cd; echo before > kept; sync']);
    const disk = await processOf(pid, 'the disk process');
    // What a full disk is to it: writes fail, and it goes on serving.
    execFileSync('prlimit', ['--pid', String(disk), `--fsize=${String(FULL_DISK_BYTES)}:`]);
    const typing = typeLines(console, ['seq 1 3000 > n; sync; cat kept']);
    await untilStoppedByDisk();
    await typing;
    await suspendVm(home, VM);
    await using store = await openStore({ home });
    const path = (await store.head(VM))?.paths.inputLog ?? '';
    const log = await readInputLog(path, await store.deriveKey(VM, 'input-log'));
    expect(log.complete).toBe(false);

    const outcome = await migrate({ home, name: VM, destination: pair.there.address });
    if (outcome.kind !== 'migrated') throw new Error(`it ended as ${outcome.kind}`);
    expect(outcome.report).toMatchObject({ strategy: 'ship', resumed: true });
    expect(outcome.report.reason).toMatch(/broke off/);
    // It goes on in the write that had failed, and with what was in memory.
    const there = await vmStatus(pair.there.home, VM);
    await typeLines(there?.console ?? '', ['md5sum n > sum; sync']);
    await suspendVm(pair.there.home, VM);
    const { disk: image } = await plainFiles(pair.there.home, pair.directory);
    expect((await readFile(image)).includes(MD5_OF_3000_LINES)).toBe(true);
    const back = await migrate({
      ...{ home: pair.there.home, name: VM, destination: pair.here.address, resume: false },
    });
    expect(back.kind).toBe('migrated');
  });

  test.each(rounds)(
    'goes on when its disk or its network is killed, and replays exactly (%i)',
    async () => {
      const { console, pid } = await startVm(home, VM);
      for (const part of ['the disk process', 'the network process'] as const) {
        const victim = await processOf(pid, part);
        const typing = typeLines(console, [
          'cd; seq 1 3000 > n; wget -O- 10.0.2.2:9; sort n | md5sum; sync',
        ]);
        await sleep(Math.random() * 3_000);
        process.kill(victim, 'SIGKILL');
        await typing;
      }
      await typeLines(console, ['ls -l; sync']);
      expect((await vmStatus(home, VM))?.diskRestarts).toBe(1);
      await suspendVm(home, VM);
      const outcome = await migrate({
        ...{ home, name: VM, destination: pair.there.address, strategy: 'replay', resume: false },
      });
      if (outcome.kind !== 'migrated') throw new Error(`it ended as ${outcome.kind}`);
      expect(outcome.report.notes).toEqual([]);
      expect(outcome.report.residue).toEqual({ ramPages: 0, diskBlocks: 0 });
      const back = await migrate({
        ...{ home: pair.there.home, name: VM, destination: pair.here.address, resume: false },
      });
      expect(back.kind).toBe('migrated');
    },
  );
});
