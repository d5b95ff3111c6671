import { readFile, writeFile } from 'node:fs/promises';

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

import { VirtualDisk } from './index.js';
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
    await runOk('nbdcopy', ['--connections=4', uri, scratch.path('copy')]);
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
    await runOk('nbdcopy', ['--connections=4', '--flush', scratch.path('image'), uri]);
    expect(image.equals(await disk.read(0n, size))).toBe(true);
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
    const dirty = await runOk('nbdinfo', ['--map=reprise:dirty', uri]);
    expect(dirty.trim().split(/\s+/).slice(0, 1)).toEqual(['0']);
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

  test('an nbdsh script uses every command', async () => {
    const script = `
h.add_meta_context("base:allocation"); h.add_meta_context("reprise:dirty")
h.connect_uri("${uri}")
h.pwrite(b"x" * 100000, 5000, nbd.CMD_FLAG_FUA)
assert h.pread(100000, 5000) == b"x" * 100000
h.zero(4096, 8192, nbd.CMD_FLAG_NO_HOLE); h.zero(4096, 12288, nbd.CMD_FLAG_FAST_ZERO)
assert h.pread(8192, 8192) == b"\\0" * 8192
h.trim(65536, 0); h.cache(65536, 0); h.flush()
seen = {}
h.block_status(${size}, 0, lambda name, offset, entries, error: seen.update({name: entries}))
assert set(seen) == {"base:allocation", "reprise:dirty"}, seen
assert sum(seen["reprise:dirty"][0::2]) == ${size}
h.block_status(${size}, 0, lambda n, o, e, x: seen.update({n: e}), nbd.CMD_FLAG_REQ_ONE)
assert len(seen["reprise:dirty"]) == 2
try:
  h.set_strict_mode(0); h.pread(4096, ${size}); assert False
except nbd.Error as error: assert error.errnum == 22
print("done")`;
    // Debian's nbdsh needs Debian's python3, whatever else comes first in the PATH.
    const nbdsh = ['PATH=/usr/bin:/bin', 'nbdsh', '-c', script];
    expect(await runOk('env', nbdsh)).toBe('done\n');
  });

  test('fio verifies what it wrote over two connections', async () => {
    await runOk('fio', [
      ...['--name=v', '--ioengine=nbd', `--uri=${uri}`, '--rw=randrw', '--bsrange=512-64k'],
      ...['--iodepth=32', `--size=${size / 2}`, '--numjobs=2', `--offset_increment=${size / 2}`],
      ...['--verify=crc32c', '--verify_fatal=1', '--bs_unaligned=0', '--fsync=32'],
      '--verify_state_save=0',
    ]);
    expect(disk.statistics().connections).toBeGreaterThanOrEqual(0);
    expect(disk.statistics().flushes).toBeGreaterThan(0);
  });
});
