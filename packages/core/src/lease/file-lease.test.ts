import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { appendFile, mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';

import { ExclusiveLock } from './exclusive-lock.js';
import { FileLease } from './file-lease.js';
import { uuid } from './testing/handoff-exploration.js';
import type { HandoffOutcome } from './lease.js';
import { identifyProcess, identifySelf, isAlive } from './process-identity.js';

const coded = (code: string) => expect.objectContaining({ code });
const [HERE, THERE, LINEAGE, MIGRATION] = [uuid(1), uuid(2), uuid(100), uuid(200)];
const ROOT = 'a'.repeat(64);

describe('a lease in files', () => {
  let directory: string;
  let here: FileLease;
  let there: FileLease;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'reprise-lease-'));
    const at = async (host: string) => {
      await mkdir(join(directory, host, 'desk'), { recursive: true });
      return new FileLease({ hostId: host, directoryOf: (vm) => join(directory, host, vm) });
    };
    [here, there] = [await at(HERE), await at(THERE)];
    await here.apply('desk', { type: 'import', lineage: LINEAGE });
    await there.apply('desk', { type: 'seeded', lineage: LINEAGE, ancestors: [], token: 1 });
  });
  afterEach(() => rm(directory, { recursive: true, force: true }));

  async function deliver(to: FileLease, outcome: HandoffOutcome): Promise<HandoffOutcome> {
    const message = outcome.messages[0]?.message;
    if (message === undefined) throw new Error('nothing was said');
    return to.apply('desk', { type: 'message', message });
  }

  test('gives the right to run once, to the holder only, and takes it back', async () => {
    const grant = await here.acquireToRun('desk');
    expect(await grant.isCurrent()).toBe(true);
    await expect(here.acquireToRun('desk')).rejects.toEqual(coded('VM_RUNNING'));
    await expect(there.acquireToRun('desk')).rejects.toEqual(coded('HELD_ELSEWHERE'));
    await grant.release();
    await grant.release();
    expect(await grant.isCurrent()).toBe(false);
    await (await here.acquireToRun('desk')).release();
    expect((await here.history('desk')).map((entry) => entry.record.type)).toEqual([
      'CREATED',
      'STARTED',
      'STOPPED',
      'STARTED',
      'STOPPED',
    ]);
  });

  test('lets one of many contenders run', async () => {
    const results = await Promise.allSettled(
      Array.from({ length: 8 }, () => here.acquireToRun('desk')),
    );
    expect(results.filter((result) => result.status === 'fulfilled')).toHaveLength(1);
  });

  test('knows a VM for stopped when its supervisor and its hypervisor were killed, not before', async () => {
    const [supervisor, hypervisor] = [sleeper(), sleeper()];
    try {
      const grant = await here.acquireToRun('desk', identityOf(supervisor));
      await grant.attach(identityOf(hypervisor));
      await kill(supervisor);
      await expect(here.acquireToRun('desk')).rejects.toEqual(coded('VM_RUNNING'));
      await kill(hypervisor);
      expect(await here.state('desk')).toMatchObject({ kind: 'holds', running: null });
      await (await here.acquireToRun('desk')).release();
    } finally {
      await kill(supervisor);
      await kill(hypervisor);
    }
  });

  test('knows a VM for stopped after a reboot that reused its pid', async () => {
    const before = { ...identifySelf(), bootId: uuid(7) };
    expect(isAlive(before)).toBe(false);
    await here.acquireToRun('desk', before);
    expect(await here.state('desk')).toMatchObject({ running: null });
  });

  test('hands the VM over and back; afterwards the source may not run it', async () => {
    const begin = { type: 'begin', migration: MIGRATION, root: ROOT, peer: THERE } as const;
    await here.apply('desk', begin);
    await expect(here.acquireToRun('desk')).rejects.toEqual(coded('HANDOFF_OPEN'));
    const proved = {
      ...begin,
      type: 'proved',
      peer: HERE,
      lineage: LINEAGE,
      ancestors: [],
      token: 1,
    } as const;
    const prepared = await there.apply('desk', proved);
    const committed = await deliver(here, prepared);
    expect(committed.notices).toEqual([{ notice: 'released', migration: MIGRATION, root: ROOT }]);
    const owned = await deliver(there, committed);
    expect(owned.notices).toEqual([{ notice: 'owned', migration: MIGRATION, root: ROOT }]);
    await deliver(here, owned);
    await expect(here.acquireToRun('desk')).rejects.toEqual(coded('HELD_ELSEWHERE'));
    const grant = await there.acquireToRun('desk');
    expect(grant).toMatchObject({ token: 2, lineage: LINEAGE, root: ROOT });
  });

  test('does not turn a damaged RELEASED into a right to run, and lets an operator decide', async () => {
    const begin = { type: 'begin', migration: MIGRATION, root: ROOT, peer: THERE } as const;
    await here.apply('desk', begin);
    const proved = {
      ...begin,
      type: 'proved',
      peer: HERE,
      lineage: LINEAGE,
      ancestors: [],
      token: 1,
    } as const;
    await deliver(here, await there.apply('desk', proved));
    const path = join(directory, HERE, 'desk', 'lease.jsonl');
    await writeFile(path, (await readFile(path, 'utf8')).replace('"RELEASED"', '"DELEASED"'));
    await expect(here.acquireToRun('desk')).rejects.toEqual(coded('JOURNAL_CORRUPT'));
    const forced = await here.forceTake(
      'desk',
      'the journal is damaged, and the other host is gone',
    );
    expect(forced).toMatchObject({
      kind: 'holds',
      token: 2 + 2 ** 20,
      ancestors: [{ lineage: LINEAGE, host: HERE }],
    });
    await (await here.acquireToRun('desk')).release();
    const hello = await here.apply('desk', { type: 'contact', peer: THERE });
    await expect(deliver(there, hello)).rejects.toEqual(coded('HANDOFF_CONFLICT'));
    expect(
      (await readdir(join(directory, HERE, 'desk'))).some((name) =>
        name.startsWith('lease.damaged-'),
      ),
    ).toBe(true);
  });

  test('forgets a record that a crash tore, because nothing had been said yet', async () => {
    await appendFile(join(directory, HERE, 'desk', 'lease.jsonl'), '{"seq":2,"at":"2026');
    await (await here.acquireToRun('desk')).release();
    expect(await here.history('desk')).toHaveLength(3);
  });

  test('refuses an override where there is nothing to override', async () => {
    await expect(here.forceTake('desk', 'impatience')).rejects.toEqual(coded('INVALID_ARGUMENT'));
  });
});

describe('an exclusive lock', () => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'reprise-lock-'));
  });
  afterEach(() => rm(directory, { recursive: true, force: true }));

  test('is held by one at a time, however many try', async () => {
    let inside = 0;
    let rounds = 0;
    await Promise.all(
      Array.from({ length: 12 }, () =>
        ExclusiveLock.during(directory, 'x', { timeoutMs: 60_000 }, async () => {
          inside += 1;
          expect(inside).toBe(1);
          await readdir(directory);
          rounds += 1;
          inside -= 1;
        }),
      ),
    );
    expect(rounds).toBe(12);
    expect(await readdir(directory)).toHaveLength(1);
  });

  test('says who has it when waiting is over, and can be waited for no longer', async () => {
    const held = await ExclusiveLock.acquire(directory, 'x');
    expect(await ExclusiveLock.tryAcquire(directory, 'x')).toBeUndefined();
    await expect(ExclusiveLock.acquire(directory, 'x', { timeoutMs: 20 })).rejects.toMatchObject({
      code: 'VM_BUSY',
      context: { pid: process.pid },
    });
    const signal = AbortSignal.abort();
    await expect(ExclusiveLock.acquire(directory, 'x', { signal })).rejects.toEqual(
      coded('CANCELLED'),
    );
    await held.release();
    await held.release();
  });

  test('passes on from a process that was killed while it had it', async () => {
    const child = sleeper();
    await writeFile(join(directory, '.x.41'), JSON.stringify(identityOf(child)));
    expect(await ExclusiveLock.tryAcquire(directory, 'x')).toBeUndefined();
    await kill(child);
    const lock = await ExclusiveLock.tryAcquire(directory, 'x');
    expect(await readdir(directory)).toEqual(['.x.42']);
    await lock?.release();
  });
});

function sleeper(): ChildProcess {
  return spawn('sleep', ['600'], { stdio: 'ignore' });
}

function identityOf(child: ChildProcess) {
  const identity = identifyProcess(child.pid ?? 0);
  if (identity === undefined) throw new Error('the process is gone');
  return identity;
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
}
