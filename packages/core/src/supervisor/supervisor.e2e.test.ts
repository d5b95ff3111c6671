import { existsSync } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

import { openStore } from '../snapshot/index.js';
import { contentIndexOf, differFor } from '../state/index.js';
import { childrenOf, untilGone } from '../testing/processes.js';
import { bootTiny, emptyPair, typeLines, VM, type Pair } from '../testing/tiny-pair.js';

import { discardSession, startVm, suspendVm, vmStatus } from './index.js';

describe('a running VM whose parts are killed', () => {
  let pair: Pair;
  let home: string;

  beforeAll(async () => {
    pair = await emptyPair();
    ({ home } = pair.here);
    await bootTiny(home);
  });

  afterAll(async () => {
    if ((await vmStatus(home, VM)) !== undefined) await discardSession(home, VM);
    await pair[Symbol.asyncDispose]();
  });

  test('loses nothing when its disk process is killed: the guest waits, and goes on', async () => {
    const { console, pid } = await startVm(home, VM);
    await typeLines(console, ['cd; seq 1 500 > a; sync']);
    const disk = (await childrenOf(pid)).find(({ command }) => command.includes('disk-process'));
    if (disk === undefined) throw new Error('the supervisor has no disk process');
    process.kill(disk.pid, 'SIGKILL');
    await typeLines(console, ['seq 501 1000 >> a; sync; sed -n 1000p a > b; sync']);
    const status = await vmStatus(home, VM);
    expect(status).toMatchObject({ diskRestarts: 1 });
    const { root } = await suspendVm(home, VM);
    await using store = await openStore({ home });
    expect(await store.verifySnapshot(VM, root)).toMatchObject({ ok: true });
    expect((await store.head(VM))?.manifest.changed?.diskBlocks).toBeGreaterThan(0);
  });

  test('has the index of its base made meanwhile, by a process that ends by itself', async () => {
    await using store = await openStore({ home });
    const head = await store.head(VM);
    if (head === undefined) throw new Error('the VM was not suspended');
    const { index } = head.paths;
    expect(existsSync(index)).toBe(false);
    const { pid } = await startVm(home, VM);
    const deadline = Date.now() + 60_000;
    const isIndexing = async () =>
      (await childrenOf(pid)).some(({ command }) => command.includes('index-process'));
    while ((!existsSync(index) || (await isIndexing())) && Date.now() < deadline) await sleep(200);
    expect(existsSync(index)).toBe(true);
    await discardSession(home, VM);

    // Two that make it at the same time leave one, and nothing else.
    await rm(index, { recursive: true });
    await using one = await differFor(store, VM);
    await using two = await differFor(store, VM);
    await Promise.all([contentIndexOf(one, head), contentIndexOf(two, head)]);
    expect(await readdir(index)).toContain('000000.pages');
    expect((await readdir(dirname(index))).filter((name) => name.includes('tmp'))).toEqual([]);
  });

  test('leaves no process behind when its supervisor is killed, and says how to go on', async () => {
    const { pid } = await startVm(home, VM);
    const children = await childrenOf(pid);
    expect(children.map(({ command }) => command).join()).toMatch(/qemu-system/);
    process.kill(pid, 'SIGKILL');
    await untilGone([pid, ...children.map((child) => child.pid)]);

    expect(await vmStatus(home, VM)).toBeUndefined();
    await expect(startVm(home, VM)).rejects.toMatchObject({
      code: 'SESSION_INTERRUPTED',
      message: expect.stringContaining('--cold'),
    });
    await startVm(home, VM, { leftover: 'discard' });
    await discardSession(home, VM);
  });

  test('can be booted cold from the disk that a crash left', async () => {
    const started = await startVm(home, VM);
    await typeLines(started.console, ['cd; echo survived > crash; sync']);
    process.kill(started.pid, 'SIGKILL');
    await untilGone([started.pid]);
    await sleep(500);
    const { console } = await startVm(home, VM, { leftover: 'cold' });
    expect(console).toBe(started.console);
    await suspendVm(home, VM);
    await using store = await openStore({ home });
    const head = await store.head(VM);
    // What began with a power-on cannot be replayed from a snapshot.
    expect(head?.manifest.session?.base).toBeNull();
  });

  test('cannot be started twice', async () => {
    await startVm(home, VM);
    await expect(startVm(home, VM)).rejects.toMatchObject({ code: 'VM_RUNNING' });
    await discardSession(home, VM);
  });
});
