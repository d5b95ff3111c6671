import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

import { InputLogWriter, readInputLog } from '../input/index.js';
import { recordsOf } from '../input/log-records.js';
import { openStore, type SnapshotStore } from '../snapshot/index.js';
import { startVm, suspendVm, vmStatus } from '../supervisor/index.js';
import { expectIdentical } from '../testing/identical.js';
import { childrenOf } from '../testing/processes.js';
import {
  bootTiny,
  emptyPair,
  seedTo,
  session,
  typeLines,
  VM,
  type Host,
  type Pair,
} from '../testing/tiny-pair.js';

import {
  explainMigration,
  lastRehearsal,
  migrate,
  rehearse,
  type MigrationReport,
} from './index.js';

/** What a session without network may cost on the link, both directions together. */
const MOST_BYTES = 16_000;

async function move(from: Host, address: string): Promise<MigrationReport> {
  const outcome = await migrate({
    ...{ home: from.home, name: VM, destination: address, resume: false },
  });
  if (outcome.kind !== 'migrated') throw new Error(`the migration was ${outcome.kind}`);
  return outcome.report;
}

/** A receiver in a process of its own, which finds no plugin. */
async function receiverWithoutPlugin(host: Host): Promise<{ address: string; kill: () => void }> {
  const path = `${host.address.slice('unix:'.length)}.bare`;
  const library = fileURLToPath(new URL('../../dist/index.js', import.meta.url));
  const program = `
    import { listenUnix, receive } from ${JSON.stringify(library)};
    await listenUnix(${JSON.stringify(path)}, (link) => {
      receive({ home: ${JSON.stringify(host.home)}, link }).catch(() => undefined);
    });
    console.log('ready');`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, REPRISE_VCLOCK_PLUGIN: '/nonexistent/vclock.so' },
  });
  await once(child.stdout, 'data');
  return { address: `unix:${path}`, kill: () => child.kill('SIGKILL') };
}

/** The supervisor's child that serves the disk. */
async function diskProcessOf(supervisor: number): Promise<number> {
  const children = await childrenOf(supervisor);
  const disk = children.find(({ command }) => command.includes('disk-process'));
  if (disk === undefined) throw new Error('the supervisor has no disk process');
  return disk.pid;
}

const FIRST_MARK_MS = 10_000;
/** What the log may be behind by. */
const LOG_DELAY_MS = 1_500;

async function untilSession(host: Host, sessionMs: number): Promise<void> {
  while (((await vmStatus(host.home, VM))?.sessionMs ?? Infinity) < sessionMs) await sleep(200);
}

/** Writes the head's log again, with another key in place of the first that was pressed and released after `fromMs`. */
async function changeOneKey(store: SnapshotStore, fromMs: number): Promise<number> {
  const path = (await store.head(VM))?.paths.inputLog ?? '';
  const secret = await store.deriveKey(VM, 'input-log');
  const log = await readInputLog(path, secret);
  await rm(path);
  const forged = await InputLogWriter.create(path, secret, log.header);
  let changed: number | undefined;
  let atMs = 0;
  for (const record of recordsOf(log)) {
    if (record.kind === 'mark') forged.recordMark(record.mark);
    if (record.kind !== 'input') continue;
    const { event } = record.input;
    if (event.kind !== 'extended-key') throw new Error('not a log in virtual time');
    if (record.input.atMs > fromMs) {
      changed ??= event.keycode;
      if (atMs === 0) ({ atMs } = record.input);
    }
    const other = { ...event, keycode: event.keycode + 1 };
    forged.record({ ...record.input, event: event.keycode === changed ? other : event });
  }
  await forged.finish(log.end ?? { atMs: 1000 });
  return atMs;
}

describe('a VM in virtual time that moves between two hosts', () => {
  let pair: Pair;
  let here: Host;
  let there: Host;

  beforeAll(async () => {
    pair = await emptyPair();
    ({ here, there } = pair);
    await bootTiny(here.home, { clock: 'virtual' });
    await seedTo(here, there);
  }, 300_000);

  afterAll(async () => {
    for (const { home } of [here, there]) {
      if ((await vmStatus(home, VM)) !== undefined) await suspendVm(home, VM);
    }
    await pair[Symbol.asyncDispose]();
  });

  test('costs its log and little more: the replay is the session, so nothing else travels', async () => {
    await session(here.home, ['cd; ls -l; seq 1 2000 > n; sort -r n > m; sync']);
    const report = await move(here, there.address);
    await expectIdentical(pair);
    expect(report.replay).toMatchObject({ outcome: 'complete', pacing: 'virtual-time' });
    expect(report.notes).toEqual([]);
    expect(report.residue).toEqual({ ramPages: 0, diskBlocks: 0 });
    expect(report.bytes.byClass).toMatchObject({
      ram: { sent: 0, received: 0 },
      disk: { sent: 0, received: 0 },
      device: { sent: 0, received: 0 },
    });
    expect(report.bytes.total).toBeLessThan(MOST_BYTES);
  });

  test('replays two sessions one after the other, a killed disk process in one of them', async () => {
    await session(there.home, ['echo one > 1; sync']);
    const { console, pid } = await startVm(there.home, VM);
    await typeLines(console, ['seq 1 300 > a; sync']);
    process.kill(await diskProcessOf(pid), 'SIGKILL');
    await typeLines(console, ['seq 301 600 >> a; md5sum a; sync']);
    await suspendVm(there.home, VM);
    const report = await move(there, here.address);
    await expectIdentical(pair);
    expect(report.notes).toEqual([]);
    expect(report.bytes.total).toBeLessThan(MOST_BYTES);
  });

  test('can be rehearsed while it runs, and afterwards', async () => {
    await using store = await openStore({ home: here.home });
    const { console } = await startVm(here.home, VM);
    await expect(rehearse({ store, name: VM })).rejects.toMatchObject({
      code: 'NOTHING_TO_REHEARSE',
    });
    await untilSession(here, FIRST_MARK_MS);
    await typeLines(console, ['seq 5 900 > q; sync']);
    await untilSession(here, 2 * FIRST_MARK_MS + LOG_DELAY_MS);
    const running = await rehearse({ store, name: VM });
    expect(running).toMatchObject({ of: 'running', exact: true, marks: 2, marksTotal: 2 });
    expect(running.sessionSeconds).toBe(20);
    expect((await vmStatus(here.home, VM))?.state).toBe('running');
    await suspendVm(here.home, VM);
    const suspended = await rehearse({ store, name: VM });
    expect(suspended).toMatchObject({ of: 'suspended', exact: true });
    expect(suspended.marks).toBe(suspended.marksTotal);
    expect(await lastRehearsal(store, VM)).toEqual(suspended);
  });

  test('arrives exactly where the log tells another story, and it is told where that begins', async () => {
    await using store = await openStore({ home: here.home });
    const wrongMs = await changeOneKey(store, FIRST_MARK_MS);
    const found = await rehearse({ store, name: VM });
    expect(found).toMatchObject({ exact: false, marks: 1 });
    expect(found.divergence).toMatchObject({ fromMs: 10_000, toMs: 20_000 });
    const report = await move(here, there.address);
    await expectIdentical(pair);
    expect(wrongMs).toBeGreaterThan(FIRST_MARK_MS);
    expect(report.replay).toMatchObject({ outcome: 'diverged', marks: 1 });
    const { divergence } = report.replay ?? {};
    expect(divergence).toMatchObject({ session: 0, fromMs: 10_000, toMs: 20_000, frames: 0 });
    expect(divergence?.keys).toBe(2 * 'seq 5 900 > q; sync\n'.length + 2);
    // The log is not the guest's own, and the guest noticed.
    expect(divergence?.different).toEqual(expect.arrayContaining(['input', 'memory']));
    expect(report.notes.join(' ')).toMatch(/another way between 10 and 20 s/);
    expect(report.residue.ramPages).toBeGreaterThan(0);
    const { advice } = await explainMigration({ store, name: VM });
    expect(advice.join(' ')).toMatch(/another way between 10 and 20 s of the session/);
  });

  test('is shipped to a host that cannot replay in virtual time, and the report says why', async () => {
    await session(there.home, ['date; ls -l']);
    const bare = await receiverWithoutPlugin(here);
    try {
      const report = await move(there, bare.address);
      expect(report.strategy).toBe('ship');
      expect(report.reason).toMatch(/destination cannot replay in virtual time.*plugin/);
    } finally {
      bare.kill();
    }
    await expectIdentical(pair);
  });
});
