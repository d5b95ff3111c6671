import { chmod, copyFile, mkdir, open, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';

import { identifySelf } from '../lease/index.js';
import { RAM_MIB, StoreFixture, pattern, runs, writePages } from './testing/store-fixture.js';
import type { DiskChainPaths } from './store.js';

jest.setTimeout(120_000);

const coded = (code: string) => expect.objectContaining({ code });

describe('the embedded store', () => {
  let fixture: StoreFixture;
  beforeEach(async () => {
    fixture = await StoreFixture.create();
  });
  afterEach(() => fixture[Symbol.asyncDispose]());

  test("gives an imported VM an identity, a secret that is nobody else's to read, and the right to run", async () => {
    await fixture.importVm();
    const vm = await fixture.store.vm('desk');
    expect(vm.head).toBeNull();
    expect(await fixture.store.lease.state('desk')).toMatchObject({ kind: 'holds', token: 1 });
    const secret = join(fixture.home, 'vms/desk/secret');
    expect((await stat(secret)).mode & 0o777).toBe(0o600);
    expect((await stat(fixture.home)).mode & 0o777).toBe(0o700);
    expect((await fixture.store.secret('desk')).length).toBe(32);
    const keys = [
      await fixture.store.deriveKey('desk', 'fingerprint'),
      await fixture.store.deriveKey('desk', 'input-log'),
    ];
    expect(keys[0]).not.toEqual(keys[1]);
    expect(await fixture.store.listVms()).toEqual([vm]);
    expect(await fixture.store.vmById(vm.id)).toEqual(vm);
  });

  test('refuses a second VM of a name, an unknown one, and a name that leads out of the store', async () => {
    await fixture.importVm();
    await expect(fixture.importVm()).rejects.toEqual(coded('VM_EXISTS'));
    await expect(fixture.store.vm('nobody')).rejects.toEqual(coded('VM_UNKNOWN'));
    await expect(fixture.store.vm('../desk')).rejects.toEqual(coded('INVALID_ARGUMENT'));
    await expect(fixture.store.snapshot('desk', '../../x')).rejects.toEqual(
      coded('INVALID_ARGUMENT'),
    );
    expect(await readdir(join(fixture.home, 'vms'))).toEqual(['desk']);
  });

  test('keeps one copy of a boot file and names the one that is missing', async () => {
    const again = join(fixture.directory, 'again');
    await writeFile(again, 'a kernel');
    await fixture.store.putBootFile(again);
    expect(await readdir(join(fixture.home, 'boot'))).toHaveLength(1);
    await expect(fixture.store.bootFile('0'.repeat(64))).rejects.toEqual(
      coded('BOOT_FILE_MISSING'),
    );
  });

  test('turns a first session into a snapshot that proves, and starts the next one from it', async () => {
    await fixture.importVm();
    const first = await fixture.suspended({ tag: 'one', ram: [0, 5, 100], disk: [3, 4] });
    expect(first.base).toBeNull();
    expect(first.paths.resumeFrom).toBeUndefined();
    expect((await stat(first.paths.ram)).size).toBe(RAM_MIB * 1024 * 1024);
    const snapshot = await fixture.store.commitWorkingCopy('desk');
    expect(snapshot.manifest.parent).toBeNull();
    expect(snapshot.chain.layers).toHaveLength(1);
    expect(await fixture.store.verifySnapshot('desk', snapshot.root)).toMatchObject({
      ok: true,
      broken: [],
    });
    expect((await fixture.store.head('desk'))?.root).toBe(snapshot.root);

    const second = await fixture.store.createWorkingCopy('desk');
    expect(second.base).toBe(snapshot.root);
    expect((await readFile(second.paths.ram)).equals(await readFile(snapshot.paths.ram))).toBe(
      true,
    );
    expect(await readFile(second.paths.resumeFrom ?? '', 'utf8')).toBe('device state after one');
    expect(second.disk.layers).toEqual(snapshot.chain.layers);
  });

  test('names a state the same whether it was hashed whole or brought up to date', async () => {
    await fixture.importVm();
    const one = await fixture.session({ tag: 'one', ram: [1, 2], disk: [0, 256] });
    const two = await fixture.session({ tag: 'two', ram: [2, 4095], disk: [0, 17] });
    expect(one).not.toBe(two);
    const snapshot = await fixture.store.snapshot('desk', two);
    expect(snapshot.manifest.parent).toBe(one);
    expect(snapshot.manifest.changed).toEqual({ ramPages: 2, diskBlocks: 2 });
    expect(await fixture.store.verifySnapshot('desk', two)).toMatchObject({ ok: true });
  });

  test('makes no layer of a session that wrote no block, and no second snapshot of the same state', async () => {
    await fixture.importVm();
    const one = await fixture.session({ tag: 'one', ram: [1] });
    expect((await fixture.store.snapshot('desk', one)).chain.layers).toEqual([]);
    expect(await fixture.session({ tag: 'one' })).toBe(one);
    expect(await fixture.store.listSnapshots('desk')).toHaveLength(1);
    expect(await fixture.store.workingCopy('desk')).toBeUndefined();
  });

  test('boots cold on the disk of the head when asked', async () => {
    await fixture.importVm();
    const one = await fixture.session({ tag: 'one', ram: [1], disk: [9] });
    const cold = await fixture.store.createWorkingCopy('desk', { from: 'cold' });
    expect(cold).toMatchObject({ base: null, parent: one });
    expect(cold.paths.resumeFrom).toBeUndefined();
    expect((await readFile(cold.paths.ram)).every((byte) => byte === 0)).toBe(true);
    expect(cold.disk.layers).toHaveLength(1);
  });

  test('lets a replay have its own working copy beside the main one', async () => {
    await fixture.importVm();
    const one = await fixture.session({ tag: 'one', ram: [1] });
    const main = await fixture.store.createWorkingCopy('desk');
    const scratch = await fixture.store.createWorkingCopy('desk', {
      from: one,
      scratch: 'replay-1',
    });
    expect(scratch.paths.directory).not.toBe(main.paths.directory);
    await expect(fixture.store.createWorkingCopy('desk')).rejects.toEqual(
      coded('WORKING_COPY_EXISTS'),
    );
    await fixture.store.discardWorkingCopy('desk', 'replay-1');
    await fixture.store.discardWorkingCopy('desk', 'replay-1');
    expect(await fixture.store.workingCopy('desk', 'replay-1')).toBeUndefined();
    expect(await fixture.store.workingCopy('desk')).toBeDefined();
  });

  test('does not commit a session whose suspend was not complete, nor one whose VM was handed away', async () => {
    await fixture.importVm();
    await expect(fixture.store.commitWorkingCopy('desk')).rejects.toEqual(
      coded('WORKING_COPY_MISSING'),
    );
    await fixture.store.createWorkingCopy('desk');
    await expect(fixture.store.commitWorkingCopy('desk')).rejects.toEqual(
      coded('WORKING_COPY_MISSING'),
    );
    await fixture.store.discardWorkingCopy('desk');
    await fixture.suspended({ tag: 'one' });
    const { lineage } = (await fixture.store.lease.state('desk')) as { lineage: string };
    await fixture.store.lease.apply('desk', { type: 'concede', lineage, ancestors: [], token: 5 });
    await expect(fixture.store.commitWorkingCopy('desk')).rejects.toEqual(coded('HELD_ELSEWHERE'));
    expect(await fixture.store.workingCopy('desk')).toBeDefined();
  });

  test.each([
    ['ram', 'ram', 5 * 4096, { part: 'ram', leaves: [0] }],
    ['disk', 'disk', 70_000, { part: 'disk', leaves: [1] }],
    ['device', 'device', 3, { part: 'device' }],
    ['ram.leaves', 'ram.leaves', 40, { part: 'ram.leaves' }],
  ])('finds one flipped bit in %s and says where', async (_part, file, at, found) => {
    await fixture.importVm();
    const root = await fixture.session({ tag: 'one', ram: [5], disk: [17] });
    const { paths, chain } = await fixture.store.snapshot('desk', root);
    if (file === 'disk') await flipDiskBit(chain, at);
    else await flipBit(join(paths.directory, file), at);
    const result = await fixture.store.verifySnapshot('desk', root);
    expect(result.ok).toBe(false);
    expect(result.broken).toEqual([expect.objectContaining(found)]);
  });

  async function flipDiskBit(chain: DiskChainPaths, offset: number): Promise<void> {
    const { files, extents } = await fixture.ports.disks.image(chain.base, chain.layers);
    for (let i = 0; i < extents.length; i += 4) {
      const [at = 0, length = 0, file = 0, from = 0] = [...extents.subarray(i, i + 4)].map(Number);
      if (offset >= at && offset < at + length) {
        await flipBit(files[file] ?? '', from + offset - at);
        return;
      }
    }
    throw new Error('the disk has no data there');
  }

  test('shortens a long chain without changing a root, a byte, or what a peer needs', async () => {
    await fixture.importVm();
    const roots: string[] = [];
    for (let i = 0; i < 10; i++) {
      roots.push(await fixture.session({ tag: `s${i}`, ram: [i], disk: [i, 20 + (i % 3)] }));
    }
    await fixture.store.recordPeer(
      'desk',
      '00000000-0000-4000-8000-000000000001',
      roots[3] ?? '',
      'laptop',
    );
    const before = await fixture.store.describeVm('desk');
    expect(await fixture.store.consolidate('desk')).toMatchObject({ merged: 9 });
    expect(await fixture.store.consolidate('desk')).toBeUndefined();
    const collected = await fixture.store.collectGarbage('desk');
    expect(collected.freedBytes).toBeGreaterThan(0);
    const left = (await fixture.store.listSnapshots('desk')).map((snapshot) => snapshot.root);
    expect(new Set(left)).toEqual(new Set([roots[3], roots[8], roots[9]]));
    expect((await fixture.store.head('desk'))?.chain.layers).toHaveLength(2);
    for (const root of left) {
      expect(await fixture.store.verifySnapshot('desk', root)).toMatchObject({ ok: true });
    }
    const after = await fixture.store.describeVm('desk');
    expect(after.occupied.total).toBeLessThan(before.occupied.total);
    expect(await fixture.store.collectGarbage('desk')).toMatchObject({
      snapshots: [],
      layers: [],
      bases: [],
    });
  });

  test('keeps what a running session stands on', async () => {
    await fixture.importVm();
    await fixture.session({ tag: 'one', disk: [1] });
    const copy = await fixture.store.createWorkingCopy('desk');
    await fixture.store.collectGarbage('desk');
    for (const layer of copy.disk.layers) expect((await stat(layer)).isDirectory()).toBe(true);
    expect((await stat(copy.disk.base)).size).toBeGreaterThan(0);
  });

  test('deletes nothing while a snapshot is arriving, which may lie on any other', async () => {
    await fixture.importVm();
    for (const tag of ['one', 'two', 'three']) await fixture.session({ tag, ram: [1], disk: [2] });
    await fixture.store.openIncoming('desk', 'f'.repeat(64));
    expect(await fixture.store.collectGarbage('desk')).toMatchObject({ snapshots: [] });
    await fixture.store.discardIncoming('desk', 'f'.repeat(64));
    expect((await fixture.store.collectGarbage('desk')).snapshots).toHaveLength(1);
  });

  test('removes a VM, but not one that runs or is between two hosts', async () => {
    await fixture.importVm();
    const grant = await fixture.store.lease.acquireToRun('desk', identifySelf());
    await expect(fixture.store.removeVm('desk')).rejects.toEqual(coded('VM_RUNNING'));
    await grant.release();
    const root = await fixture.session({ tag: 'one' });
    const peer = '00000000-0000-4000-8000-000000000009';
    await fixture.store.lease.apply('desk', { type: 'begin', migration: peer, root, peer });
    await expect(fixture.store.removeVm('desk')).rejects.toEqual(coded('HANDOFF_OPEN'));
    await fixture.store.lease.apply('desk', { type: 'cancel' });
    await fixture.store.removeVm('desk');
    expect(await fixture.store.listVms()).toEqual([]);
    expect(await readdir(join(fixture.home, 'trash'))).toEqual([]);
  });

  test('sweeps what a process that is gone left in the making, and leaves what a live one makes', async () => {
    await fixture.importVm();
    const dead = join(fixture.home, 'vms', 'other.tmp-999999999.1.0123456789ab');
    const live = join(
      fixture.home,
      'vms',
      `other.tmp-${process.pid}.${identifySelf().startTicks}.0123456789ab`,
    );
    await mkdir(dead);
    await mkdir(live);
    await fixture.reopen();
    expect((await readdir(join(fixture.home, 'vms'))).sort()).toEqual([
      'desk',
      live.split('/').at(-1),
    ]);
  });

  test('says which record is damaged, and does not read a store of a newer reprise', async () => {
    await fixture.importVm();
    await writeFile(join(fixture.home, 'vms/desk/vm.json'), '{"version":1}');
    await expect(fixture.store.vm('desk')).rejects.toEqual(coded('STORE_CORRUPT'));
    await writeFile(join(fixture.home, 'store.json'), '{"version":2}');
    await expect(fixture.reopen()).rejects.toEqual(coded('STORE_VERSION'));
  });
});

describe('a VM on two hosts', () => {
  let fixture: StoreFixture;
  beforeEach(async () => {
    fixture = await StoreFixture.create();
  });
  afterEach(() => fixture[Symbol.asyncDispose]());

  /** Seeds `root` to a second host, by hand. */
  async function seed(root: string) {
    const there = await fixture.openSecond();
    const here = fixture.store;
    const { id, createdAt } = await here.vm('desk');
    const lease = await here.lease.state('desk');
    if (lease.kind === 'absent') throw new Error('no lease');
    const machine = await here.machine('desk');
    if (machine.boot.kind === 'direct') {
      await there.putBootFile((await here.bootFile(machine.boot.kernel)).path);
    }
    const { lineage, ancestors, token } = lease;
    const vm = {
      name: 'desk',
      id,
      createdAt,
      machine,
      lineage,
      ancestors,
      token,
      secret: await here.secret('desk'),
    };
    await there.adoptVm(vm);
    await there.adoptVm(vm);
    const snapshot = await here.snapshot('desk', root);
    const incoming = await there.openIncoming('desk', root);
    await copyFile(snapshot.paths.ram, incoming.ram);
    await copyFile(snapshot.paths.device, incoming.device);
    await flatten(here, root, incoming.disk);
    const digests = await there.digestIncoming('desk', root, { parent: null });
    expect(digests.root).toBe(root);
    await there.commitIncoming('desk', root, {
      parent: null,
      digests,
      createdAt: snapshot.manifest.createdAt,
    });
    await there.settleHead('desk', root);
    return there;
  }

  async function flatten(store: typeof fixture.store, root: string, to: string): Promise<void> {
    const { chain } = await store.snapshot('desk', root);
    const image = await fixture.ports.disks.image(chain.base, chain.layers);
    const disk = Buffer.alloc(Number(image.sizeBytes));
    for (let i = 0; i < image.extents.length; i += 4) {
      const [at = 0n, length = 0n, file = 0n, from = 0n] = image.extents.subarray(i, i + 4);
      const source = await open(image.files[Number(file)] ?? '');
      await source.read(disk, Number(at), Number(length), Number(from));
      await source.close();
    }
    await writeFile(to, disk);
  }

  test('arrives by a seed as a copy with the same name, which may not run', async () => {
    await fixture.importVm();
    const root = await fixture.session({ tag: 'one', ram: [1], disk: [2] });
    await using there = await seed(root);
    expect((await there.head('desk'))?.root).toBe(root);
    expect(await there.verifySnapshot('desk', root)).toMatchObject({ ok: true });
    expect(await there.deriveKey('desk', 'input-log')).toEqual(
      await fixture.store.deriveKey('desk', 'input-log'),
    );
    await expect(there.lease.acquireToRun('desk')).rejects.toEqual(coded('HELD_ELSEWHERE'));
    await expect(
      there.adoptVm({
        ...(await there.vm('desk')),
        machine: fixture.machine,
        secret: pattern('x', 32),
        lineage: (await there.vm('desk')).id,
        ancestors: [],
        token: 1,
      }),
    ).rejects.toEqual(coded('VM_EXISTS'));
  });

  test('is handed over by a migration: only proven state, and a head that follows the ownership over a crash', async () => {
    await fixture.importVm();
    const here = fixture.store;
    const base = await fixture.session({ tag: 'one', ram: [1], disk: [2] });
    await using there = await seed(base);
    const final = await fixture.session({ tag: 'two', ram: [7, 9], disk: [2, 30] });
    const snapshot = await here.snapshot('desk', final);

    const migration = '00000000-0000-4000-8000-00000000000a';
    const offer = await here.lease.apply('desk', {
      type: 'begin',
      migration,
      root: final,
      peer: there.hostId,
    });
    const message = offer.messages[0]?.message;
    if (message?.type !== 'offer') throw new Error('no offer');

    const incoming = await there.openIncoming('desk', final);
    const parent = await there.snapshot('desk', base);
    await copyFile(parent.paths.ram, incoming.ram);
    await chmod(incoming.ram, 0o600);
    await writePages(incoming.ram, [7], 'two');
    await copyFile(snapshot.paths.device, incoming.device);
    await fixture.ports.disks.createOverlay(incoming.overlay, BigInt(fixture.machine.diskBytes));
    for (const block of [2, 30]) {
      await fixture.ports.writeBlock(
        incoming.overlay,
        { ...parent.chain, overlay: incoming.overlay },
        block,
        pattern(`two disk ${block}`, 4096),
      );
    }
    const changed = { ram: runs(7, 9), disk: runs(2, 30) };
    const wrong = await there.digestIncoming('desk', final, { parent: base, changed });
    expect(wrong.ram.root).not.toBe(snapshot.manifest.ram.root); // page 9 is missing
    expect(wrong.disk.root).toBe(snapshot.manifest.disk.root);
    const commit = { parent: base, createdAt: snapshot.manifest.createdAt };
    await expect(
      there.commitIncoming('desk', final, { ...commit, digests: wrong }),
    ).rejects.toEqual(coded('ROOT_MISMATCH'));

    await writePages(incoming.ram, [9], 'two');
    await writePages(incoming.ram, [11], 'damage'); // of the copy of the base, where nothing changed
    const damaged = await there.digestIncoming('desk', final, { parent: base, changed });
    expect(damaged.ram.root).not.toBe(snapshot.manifest.ram.root);
    await copyFile(snapshot.paths.ram, incoming.ram);
    const digests = await there.digestIncoming('desk', final, { parent: base, changed });
    await there.commitIncoming('desk', final, { ...commit, digests });
    expect((await there.head('desk'))?.root).toBe(base);

    const { lineage, ancestors, token, host } = message;
    const proved = {
      type: 'proved',
      migration,
      root: final,
      peer: host,
      lineage,
      ancestors,
      token,
    } as const;
    const prepared = (await there.lease.apply('desk', proved)).messages[0]?.message;
    await expect(there.lease.acquireToRun('desk')).rejects.toEqual(coded('HANDOFF_IN_DOUBT'));
    if (prepared === undefined) throw new Error('nothing prepared');
    const released = await here.lease.apply('desk', { type: 'message', message: prepared });
    await expect(here.lease.acquireToRun('desk')).rejects.toEqual(coded('HANDOFF_IN_DOUBT'));
    const committed = released.messages[0]?.message;
    if (committed === undefined) throw new Error('no commit');
    const owned = await there.lease.apply('desk', { type: 'message', message: committed });
    // The destination crashes right here: nobody has told the store. The next to look finds the new head.
    await using restarted = await fixture.openSecond();
    expect((await restarted.head('desk'))?.root).toBe(final);
    expect(await restarted.verifySnapshot('desk', final)).toMatchObject({ ok: true });
    const answer = owned.messages[0]?.message;
    if (answer === undefined) throw new Error('not owned');
    expect((await here.lease.apply('desk', { type: 'message', message: answer })).state.kind).toBe(
      'copy',
    );
    await expect(here.lease.acquireToRun('desk')).rejects.toEqual(coded('HELD_ELSEWHERE'));
    expect((await here.head('desk'))?.root).toBe(final);
    await (await restarted.lease.acquireToRun('desk')).release();
  });
});

async function flipBit(path: string, at: number): Promise<void> {
  await chmod(path, 0o600);
  const file = await open(path, 'r+');
  try {
    const byte = Buffer.alloc(1);
    await file.read(byte, 0, 1, at);
    byte[0] = (byte[0] ?? 0) ^ 1;
    await file.write(byte, 0, 1, at);
  } finally {
    await file.close();
  }
}
