import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Differ } from '@reprise/differ';

import { InputLogWriter } from '../input/index.js';
import { openStore } from '../snapshot/index.js';
import { screenshotVm, startVm, suspendVm, vmStatus } from '../supervisor/index.js';
import {
  bootTiny,
  emptyPair,
  plainFiles,
  seedTo,
  session,
  typeLines,
  VM,
  type Host,
  type Pair,
} from '../testing/tiny-pair.js';

import { explainMigration, migrate, type MigrationReport } from './index.js';

const run = promisify(execFile);

/** RAM, disk and device state of both hosts' heads, compared by cmp, which knows nothing of reprise. */
async function expectIdentical(pair: Pair, a: Host, b: Host): Promise<void> {
  const [left, right] = [join(pair.directory, 'cmp-a'), join(pair.directory, 'cmp-b')];
  await mkdir(left, { recursive: true });
  await mkdir(right, { recursive: true });
  const ours = await plainFiles(a.home, left);
  const theirs = await plainFiles(b.home, right);
  for (const part of ['ram', 'disk', 'device'] as const) {
    await run('cmp', [ours[part], theirs[part]]);
  }
  await rm(left, { recursive: true });
  await rm(right, { recursive: true });
}

async function move(
  from: Host,
  to: Host,
  options: { strategy?: 'auto' | 'replay' | 'ship'; resume?: boolean } = {},
): Promise<MigrationReport> {
  const outcome = await migrate({
    home: from.home,
    name: VM,
    destination: to.address,
    ...{ strategy: 'replay', resume: false, ...options },
  });
  if (outcome.kind !== 'migrated') throw new Error(`the migration was ${outcome.kind}`);
  return outcome.report;
}

/** Puts another input log in the place of the one that was recorded. */
async function replaceLog(host: Host, keys: readonly number[]): Promise<void> {
  await using store = await openStore({ home: host.home });
  const head = await store.head(VM);
  const path = head?.paths.inputLog ?? '';
  await rm(path, { force: true });
  const secret = await store.deriveKey(VM, 'input-log');
  const log = await InputLogWriter.create(path, secret, {
    ...{ width: 720, height: 400, held: [], buttons: 0 },
  });
  let atMs = 0;
  for (const keysym of keys) {
    log.record({ atMs: (atMs += 60), event: { kind: 'key', down: true, keysym } });
    log.record({ atMs: (atMs += 30), event: { kind: 'key', down: false, keysym } });
  }
  await log.finish({ atMs: atMs + 500 });
}

/** A receiver in a process of its own, to be killed. */
async function startReceiver(host: Host): Promise<{ address: string; kill: () => void }> {
  const path = `${host.address.slice('unix:'.length)}.victim`;
  const program = `
    import { listenUnix, receive } from ${JSON.stringify(fileURLToPath(new URL('../../dist/index.js', import.meta.url)))};
    await listenUnix(${JSON.stringify(path)}, (link) => {
      receive({ home: ${JSON.stringify(host.home)}, link }).catch(() => undefined);
    });
    console.log('ready');`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  return { address: `unix:${path}`, kill: () => child.kill('SIGKILL') };
}

describe('a VM that moves between two hosts', () => {
  let pair: Pair;
  let here: Host;
  let there: Host;

  beforeAll(async () => {
    pair = await emptyPair();
    ({ here, there } = pair);
    await bootTiny(here.home);
    await seedTo(here, there);
  }, 300_000);

  afterAll(async () => {
    for (const { home } of [here, there]) {
      if ((await vmStatus(home, VM)) !== undefined) await suspendVm(home, VM);
    }
    await pair[Symbol.asyncDispose]();
  });

  test('cannot be started where it was only seeded', async () => {
    await expect(startVm(there.home, VM)).rejects.toMatchObject({ code: 'HELD_ELSEWHERE' });
  });

  test('arrives byte for byte by replay, with most of what changed explained by base or replay', async () => {
    await session(here.home, ['cd; ls -l; cat notes.txt', 'seq 1 2000 > n; sort -r n > m; sync']);
    const report = await move(here, there);
    await expectIdentical(pair, here, there);
    expect(report.replay).toMatchObject({ outcome: 'complete' });
    const { base, twin, zero, replay, delta } = report.pages.ram;
    expect(delta).toBeLessThan(base + twin + zero + replay);
    expect(report.bytes.byClass.log.sent).toBeGreaterThan(0);
    // What the screen shows is found as memory is; registers and little else are left.
    expect(report.bytes.byClass.device.sent).toBeLessThan(700);
    expect(report.repairedPages).toBe(0);
  });

  test('is explained afterwards: whose memory and which files changed, and what the replay held of it', async () => {
    await using store = await openStore({ home: here.home });
    const { report, ram, owners, files, unexplained } = await explainMigration({ store, name: VM });
    const pages = (shares: Readonly<Record<string, { readonly pages: number }>>) =>
      Object.values(shares).reduce((sum, share) => sum + share.pages, 0);
    expect(pages(owners)).toBe(pages(ram));
    expect(owners.kernel.pages).toBeGreaterThan(0);
    const { ram: travelled, disk } = report.pages;
    expect(unexplained.replayed).toBe(travelled.replay + disk.replay);
    // The session wrote two files of its own, and synced them.
    const names = files?.map(({ owner }) => owner);
    expect(names).toEqual(expect.arrayContaining(['/n', '/m', 'the journal']));
  });

  test('cannot be started at the source after the handoff', async () => {
    await expect(startVm(here.home, VM)).rejects.toMatchObject({ code: 'HELD_ELSEWHERE' });
  });

  test('shows the same screen when it goes on, and typing works; the way back is as exact', async () => {
    const status = await startVm(there.home, VM);
    await typeLines(status.console, ['echo typed at the destination > d; cat d; sync']);
    const before = join(pair.directory, 'before.png');
    const after = join(pair.directory, 'after.png');
    await screenshotVm(there.home, VM, before);
    await suspendVm(there.home, VM);
    const report = await move(there, here, { resume: true });
    await screenshotVm(here.home, VM, after);
    expect(report.resumed).toBe(true);
    expect((await readFile(after)).equals(await readFile(before))).toBe(true);
    await suspendVm(here.home, VM);
  });

  test('arrives exactly when nothing was replayed, and when the wrong keys were; only the bytes grow', async () => {
    await session(here.home, ['for i in 1 2 3 4; do sort -r n > s$i; done; wc s1; sync']);
    await replaceLog(here, []);
    const empty = await move(here, there);
    await expectIdentical(pair, here, there);

    await session(there.home, ['for i in 1 2 3 4; do sort n > s$i; done; wc s2; sync']);
    await replaceLog(
      there,
      Array.from('rm -f n m; seq 9 999 > x', (c) => c.charCodeAt(0)).concat(0xff0d),
    );
    const wrong = await move(there, here);
    await expectIdentical(pair, here, there);
    expect(empty.pages.ram.delta).toBeGreaterThan(0);
    expect(wrong.pages.ram.delta).toBeGreaterThan(0);
  });

  test('arrives exactly by plain shipping', async () => {
    await session(here.home, ['date; ls -l']);
    const report = await move(here, there, { strategy: 'ship' });
    await expectIdentical(pair, here, there);
    expect(report.replay).toBeUndefined();
    expect(report.bytes.byClass.log.sent).toBe(0);
    await move(there, here, { strategy: 'ship' });
  });

  test('arrives exactly when fingerprints match by mistake: what does not prove is sent again', async () => {
    await session(here.home, ['seq 1 4000 > q; sort -r q > r; md5sum q r; sync']);
    // eslint-disable-next-line @typescript-eslint/unbound-method -- put back below, called with its `this`
    const answer = Differ.prototype.answerQuestions;
    // The destination believes that its replay has the first page it knows at every place it knows.
    Differ.prototype.answerQuestions = async function (options) {
      const answers = await answer.call(this, options);
      const known = answers.locations.filter((location) => location !== 0xffff_ffff_ffff_ffffn);
      const [first = 0n] = known;
      for (let i = 0; i < answers.locations.length; i++) {
        if (answers.locations[i] !== 0xffff_ffff_ffff_ffffn) answers.locations[i] = first;
      }
      return answers;
    };
    try {
      const report = await move(here, there);
      expect(report.repairedPages).toBeGreaterThan(0);
      expect(report.notes.join(' ')).toMatch(/sent again/);
    } finally {
      Differ.prototype.answerQuestions = answer;
    }
    await expectIdentical(pair, here, there);
    await move(there, here, { strategy: 'ship' });
  });

  test('stays where it is when the destination dies, and arrives at the next attempt', async () => {
    await session(here.home, ['echo before the crash > crash; sync']);
    const receiver = await startReceiver(there);
    const attempt = migrate({
      ...{ home: here.home, name: VM, destination: receiver.address, strategy: 'replay' },
      onProgress: ({ stage }) => {
        if (stage === 'residue') receiver.kill();
      },
    });
    await expect(attempt).rejects.toMatchObject({ code: 'LINK_FAILED' });
    await expect(startVm(there.home, VM)).rejects.toMatchObject({ code: 'HELD_ELSEWHERE' });
    await move(here, there);
    await expectIdentical(pair, here, there);
    await move(there, here, { strategy: 'ship' });
  });

  test('moves for an integrator who wrote sixty lines: the example', async () => {
    await session(here.home, ['ls -l']);
    const example = fileURLToPath(new URL('../../../../examples/dist/migrate.js', import.meta.url));
    const { stdout } = await run(process.execPath, [example, VM, there.address, '20mbit'], {
      env: { ...process.env, REPRISE_HOME: here.home },
    });
    expect(stdout).toMatch(/^tiny is running at unix:.*: \d+ bytes in/);
    await suspendVm(there.home, VM);
    await move(there, here, { strategy: 'ship' });
  });

  test('says what it would do without doing it', async () => {
    await session(here.home, ['ls']);
    const outcome = await migrate({
      ...{ home: here.home, name: VM, destination: there.address, dryRun: true },
      bytesPerSecond: 625_000,
    });
    expect(outcome.kind).toBe('planned');
    if (outcome.kind === 'planned') expect(outcome.plan.ship.seconds).toBeGreaterThan(0);
    await session(here.home, ['echo still here']);
  });
});
