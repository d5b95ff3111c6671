import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

import { InputLogWriter, readInputLog } from '../input/index.js';
import { openStore } from '../snapshot/index.js';
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

import { migrate, type MigrationReport } from './index.js';

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

  test('arrives exactly where the log tells another story; only the bytes grow', async () => {
    await session(here.home, ['seq 5 900 > q; sync']);
    await using store = await openStore({ home: here.home });
    const path = (await store.head(VM))?.paths.inputLog ?? '';
    const secret = await store.deriveKey(VM, 'input-log');
    const log = await readInputLog(path, secret);
    await rm(path);
    const forged = await InputLogWriter.create(path, secret, log.header);
    for (const input of log.events.slice(0, 8)) forged.record(input);
    await forged.finish(log.end ?? { atMs: 1000 });
    const report = await move(here, there.address);
    await expectIdentical(pair);
    expect(report.notes.join(' ')).toMatch(/not exact/);
    expect(report.residue.ramPages).toBeGreaterThan(0);
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
