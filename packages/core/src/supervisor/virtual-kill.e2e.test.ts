import { setTimeout as sleep } from 'node:timers/promises';

import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';

import { RfbClient } from '../console/index.js';
import { readInputLog, type InputLog } from '../input/index.js';
import { migrate } from '../migration/index.js';
import { openStore } from '../snapshot/index.js';
import { childrenOf, untilGone } from '../testing/processes.js';
import { bootTiny, emptyPair, seedTo, typeLines, VM, type Pair } from '../testing/tiny-pair.js';
import { keyNumber } from '../virtual-time/key-number.js';

import { discardSession, startVm, suspendVm, vmStatus } from './index.js';

/** Of each victim; more for whoever looks for a rare one. */
const ROUNDS = Number(process.env['REPRISE_KILL_ROUNDS'] ?? 1);
const LOG_TIMEOUT_MS = 60_000;
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
    'ends when its controller is killed, with a log that can be read (%i)',
    async () => {
      const { console, pid } = await startVm(home, VM);
      await using _typing = keepTyping(console);
      const children = await childrenOf(pid);
      const had = await acknowledged(1);
      const deadline = Date.now() + LOG_TIMEOUT_MS;
      // What it has written is written; what it has not is a second's typing at most.
      while ((await workingLog()).events.length < had) {
        if (Date.now() > deadline) throw new Error('the log does not grow');
        await sleep(50);
      }
      await sleep(Math.random() * 3_000);
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
