import { open, readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { describe, expect, jest, test } from '@jest/globals';
import fc from 'fast-check';

import { machineDigest } from '../machine/index.js';
import { treeRoot } from './testing/reference-digest-tree.js';
import { rootDigest } from './root-digest.js';
import { StoreFixture, nativePorts, referencePorts } from './testing/store-fixture.js';

jest.setTimeout(300_000); // many small stores; a busy machine takes its time

const page = fc.integer({ min: 0, max: 4095 });
const block = fc.integer({ min: 0, max: 256 });
const sessions = fc.array(
  fc.record({
    ram: fc.array(page, { maxLength: 5 }),
    disk: fc.array(block, { maxLength: 5 }),
    tag: fc.constantFrom('a', 'b', 'c'), // few, so that states come back
  }),
  { minLength: 1, maxLength: 4 },
);

describe('a root digest', () => {
  test('is the same from the differ and the driver as from the slow and obvious way, session by session', async () => {
    await fc.assert(
      fc.asyncProperty(sessions, async (script) => {
        await using fast = await StoreFixture.create(nativePorts);
        await using slow = await StoreFixture.create(referencePorts);
        await fast.importVm();
        await slow.importVm();
        for (const session of script) {
          const root = await fast.session(session);
          expect(await slow.session(session)).toBe(root);
          const [a, b] = [
            await fast.store.snapshot('desk', root),
            await slow.store.snapshot('desk', root),
          ];
          expect(
            (await readFile(a.paths.ramLeaves)).equals(await readFile(b.paths.ramLeaves)),
          ).toBe(true);
          expect(
            (await readFile(a.paths.diskLeaves)).equals(await readFile(b.paths.diskLeaves)),
          ).toBe(true);
        }
        await fast.store.consolidate('desk', { longerThan: 2 });
        await fast.store.collectGarbage('desk');
        const head = await fast.store.head('desk');
        expect(await fast.store.verifySnapshot('desk', head?.root ?? '')).toMatchObject({
          ok: true,
        });
      }),
      { numRuns: 4 },
    );
  });

  test('covers RAM, disk, device and machine as the byte table says', async () => {
    await using fixture = await StoreFixture.create();
    await fixture.importVm();
    const root = await fixture.session({ tag: 'one', ram: [3], disk: [4] });
    const { manifest, paths } = await fixture.store.snapshot('desk', root);
    expect(manifest.machineDigest).toBe(machineDigest(fixture.machine));
    expect(rootDigest({ ...manifest, machine: manifest.machineDigest })).toBe(root);
    const leaves = await readFile(paths.ramLeaves);
    const list = Array.from({ length: leaves.length / 32 }, (_, i) =>
      leaves.subarray(i * 32, i * 32 + 32),
    );
    expect(treeRoot(list).toString('hex')).toBe(manifest.ram.root);
    const others = [
      { ...manifest, machine: manifest.ram.root },
      {
        ...manifest,
        machine: manifest.machineDigest,
        device: { ...manifest.device, sizeBytes: 1 },
      },
      { ...manifest, machine: manifest.machineDigest, ram: manifest.disk, disk: manifest.ram },
    ];
    expect(new Set([root, ...others.map(rootDigest)]).size).toBe(4);
  });
});

describe('an imported disk', () => {
  test("is extended with zeros to the machine's size and kept read-only under its digest", async () => {
    await using fixture = await StoreFixture.create();
    await fixture.importVm();
    const { base } = await fixture.store.vm('desk');
    const disk = join(fixture.home, 'vms/desk/bases', base ?? '', 'disk.raw');
    const file = await open(disk);
    const { size, mode } = await file.stat();
    await file.close();
    expect(size).toBe(fixture.machine.diskBytes);
    expect(mode & 0o777).toBe(0o400);
  });
});
