import { readFile, writeFile } from 'node:fs/promises';

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

import { VirtualDisk, createOverlay } from './index.js';
import { runOk } from './testing/run.js';
import { Scratch } from './testing/scratch.js';

// Other people's clients, as docs/interop.md lists them.
const size = 16 << 20;
let scratch: Scratch;
let disk: VirtualDisk;
let uri: string;

beforeAll(async () => {
  scratch = await Scratch.create();
  disk = await VirtualDisk.open(await scratch.chain(size, 4 << 20));
  const socketPath = scratch.path('s');
  await disk.serve({ socketPath });
  uri = `nbd+unix:///disk?socket=${socketPath}`;
});

afterAll(async () => {
  await disk.close();
  await scratch[Symbol.asyncDispose]();
});

/** One more disk, empty, with a server of its own. */
async function served(name: string): Promise<AsyncDisposable & { disk: VirtualDisk; uri: string }> {
  const overlay = scratch.path(name);
  await createOverlay(overlay, { sizeBytes: BigInt(size) });
  const base = await scratch.base(size, 0, `${name}.base`);
  const other = await VirtualDisk.open({ base, layers: [], overlay });
  const socketPath = scratch.path(`${name}.s`);
  await other.serve({ socketPath });
  return {
    disk: other,
    uri: `nbd+unix:///disk?socket=${socketPath}`,
    [Symbol.asyncDispose]: () => other.close(),
  };
}

describe("other people's clients", () => {
  test('nbdinfo sees the export and everything it can do', async () => {
    const info = JSON.parse(await runOk('nbdinfo', ['--json', uri])) as {
      exports: Record<string, unknown>[];
    };
    expect(info.exports[0]).toMatchObject({
      'export-name': 'disk',
      'export-size': size,
      can_multi_conn: true,
      can_fua: true,
      can_trim: true,
      can_fast_zero: true,
      can_cache: true,
      block_size_preferred: 4096,
      contexts: ['base:allocation', 'reprise:dirty', 'qemu:dirty-bitmap:reprise'],
    });
  });

  test('qemu-io writes, discards, zeroes and reads back', async () => {
    const commands = [
      ...['write -P 5 1000 70000', 'read -P 5 1000 70000', 'flush', 'discard 8192 4096'],
      ...['read -P 0 8192 4096', 'write -z 20000 9000', 'read -P 0 20000 9000'],
      ...['write -f -P 6 0 512', 'read -P 6 0 512'],
    ];
    const args = commands.flatMap((command) => ['-c', command]);
    expect(await runOk('qemu-io', ['-f', 'raw', ...args, uri])).not.toContain(
      'verification failed',
    );
  });

  test('nbdcopy with four connections and qemu-img convert copy the same disk', async () => {
    const before = disk.statistics().connectionsAccepted;
    await runOk('nbdcopy', ['--connections=4', '--threads=4', uri, scratch.path('copy')]);
    expect(disk.statistics().connectionsAccepted - before).toBe(4);
    await runOk('qemu-img', ['convert', '-f', 'raw', '-O', 'raw', uri, scratch.path('converted')]);
    const expected = await disk.read(0n, size);
    expect(expected.equals(await readFile(scratch.path('copy')))).toBe(true);
    expect(expected.equals(await readFile(scratch.path('converted')))).toBe(true);
    const compared = await runOk('qemu-img', ['compare', '-f', 'raw', scratch.path('copy'), uri]);
    expect(compared).toContain('identical');
  });

  test('nbdcopy writes a whole image in', async () => {
    const image = Buffer.alloc(size);
    image.fill('reprise', 3 << 20, 5 << 20);
    await writeFile(scratch.path('image'), image);
    const before = disk.statistics();
    await runOk('nbdcopy', [
      '--connections=4',
      '--threads=4',
      '--flush',
      scratch.path('image'),
      uri,
    ]);
    expect(image.equals(await disk.read(0n, size))).toBe(true);
    const after = disk.statistics();
    expect(after.connectionsAccepted - before.connectionsAccepted).toBe(4);
    expect(after.flushes).toBeGreaterThan(before.flushes);
  });

  test('qemu-img converts an image into the disk', async () => {
    const image = Buffer.alloc(size);
    image.fill('convert', 1 << 20, 2 << 20);
    image.fill('me', size - 4096);
    await writeFile(scratch.path('source'), image);
    const raw = ['-f', 'raw', '-O', 'raw'];
    await runOk('qemu-img', ['convert', '-n', ...raw, scratch.path('source'), uri]);
    expect(image.equals(await disk.read(0n, size))).toBe(true);
    // Into a disk of which it is told that it reads as zeros, and in pieces that come in any order.
    await using second = await served('second');
    const options = ['-n', '--target-is-zero', '-W', '-m', '8'];
    await runOk('qemu-img', ['convert', ...options, ...raw, scratch.path('source'), second.uri]);
    expect(image.equals(await second.disk.read(0n, size))).toBe(true);
  });

  test('qemu-img map and the dirty context agree with the driver', async () => {
    await disk.write(0n, Buffer.alloc(4096, 1));
    const map = JSON.parse(await runOk('qemu-img', ['map', '--output=json', '-f', 'raw', uri])) as {
      start: number;
      length: number;
      data: boolean;
    }[];
    expect(map.reduce((sum, extent) => sum + extent.length, 0)).toBe(size);
    expect(map[0]).toMatchObject({ start: 0, data: true });
    // On a disk of which two runs are dirty, and nothing else.
    await using second = await served('dirty');
    await second.disk.write(8192n, Buffer.alloc(4096, 1));
    await second.disk.write(BigInt(size - 4096), Buffer.alloc(4096, 1));
    const dirty = await runOk('nbdinfo', ['--json', '--map=reprise:dirty', second.uri]);
    expect(JSON.parse(dirty)).toMatchObject([
      { offset: 0, length: 8192, type: 0 },
      { offset: 8192, length: 4096, type: 1 },
      { offset: 12288, length: size - 16384, type: 0 },
      { offset: size - 4096, length: 4096, type: 1 },
    ]);
  });

  test("QEMU's bitmap clients find the dirty blocks under QEMU's own name", async () => {
    await disk.write(BigInt(size - 4096), Buffer.alloc(4096, 1));
    const image = `driver=nbd,server.type=unix,server.path=${scratch.path('s')},export=disk`;
    const map = await runOk('qemu-img', [
      ...['map', '--output=json', '--image-opts'],
      `${image},x-dirty-bitmap=qemu:dirty-bitmap:reprise`,
    ]);
    // QEMU shows what is dirty as `data: false`.
    const extents = JSON.parse(map) as { start: number; length: number; data: boolean }[];
    expect(extents.at(-1)).toMatchObject({ data: false });
    expect(extents.reduce((sum, { length }) => sum + length, 0)).toBe(size);
    const dirty = await runOk('nbdinfo', ['--json', '--map=reprise:dirty', uri]);
    const ours = JSON.parse(dirty) as { offset: number; length: number; type: number }[];
    const bytes = (lengths: number[]): number => lengths.reduce((a, b) => a + b, 0);
    expect(bytes(extents.filter(({ data }) => !data).map(({ length }) => length))).toBe(
      bytes(ours.filter(({ type }) => (type & 1) === 1).map(({ length }) => length)),
    );
  });

  test('fio verifies what it wrote over two connections', async () => {
    const before = disk.statistics();
    await runOk('fio', [
      ...['--name=v', '--ioengine=nbd', `--uri=${uri}`, '--rw=randrw', '--bsrange=512-64k'],
      ...['--iodepth=32', `--size=${size / 2}`, '--numjobs=2', `--offset_increment=${size / 2}`],
      ...['--verify=crc32c', '--verify_fatal=1', '--bs_unaligned=0', '--fsync=32'],
      '--verify_state_save=0',
    ]);
    const after = disk.statistics();
    expect(after.connectionsAccepted - before.connectionsAccepted).toBeGreaterThanOrEqual(2);
    expect(after.flushes - before.flushes).toBeGreaterThan(2);
    expect(after.writtenBytes - before.writtenBytes).toBeGreaterThan(size / 4);
  });
});
