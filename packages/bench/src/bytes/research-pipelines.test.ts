import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { Differ, fileImage, PAGE_SIZE, pageCount, type State } from '@reprise/differ';

import { measureCloudlet } from './cloudlet.js';
import { measurePaper2008 } from './paper2008.js';

const PAGES = 32;

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'bench-research-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

async function stateOf(name: string, ram: Buffer, disk: Buffer) {
  const at = (part: string) => join(directory, `${name}.${part}`);
  await writeFile(at('ram'), ram);
  await writeFile(at('disk'), disk);
  await writeFile(at('device'), 'device');
  const state: State = { ram: await fileImage(at('ram')), disk: await fileImage(at('disk')) };
  return { state, files: { ram: at('ram'), disk: at('disk'), device: at('device') } };
}

const page = (of: Buffer, n: number) => of.subarray(n * PAGE_SIZE, (n + 1) * PAGE_SIZE);
const allPages = BigUint64Array.of(0n, BigInt(PAGES));

describe('the cloudlet-style pipeline', () => {
  /** Bytes of memory after `change` of it. */
  async function bytesAfter(change: (ram: Buffer) => void, allAtOnce = false): Promise<number> {
    const [ram, disk] = [randomBytes(PAGES * PAGE_SIZE), randomBytes(PAGES * PAGE_SIZE)];
    const base = await stateOf('base', ram, disk);
    const changed = Buffer.from(ram);
    change(changed);
    const target = await stateOf('target', changed, disk);
    const key = new Uint8Array(32).fill(1);
    await using differ = new Differ({ fingerprint: { algorithm: 'xxh3', key } });
    const indexPath = join(directory, 'index');
    await differ.buildIndex(base.state, indexPath);
    await using plan = await differ.planResidue({
      ...{ base: base.state, target: target.state, indexPath },
      changed: { ram: allPages, disk: new BigUint64Array(0) },
    });
    const memoryPages = pageCount(target.state.ram);
    const states = { base: base.state, target: target.state, memoryPages };
    const files = { base: base.files, target: target.files };
    const bytes = await measureCloudlet(plan, states, files, { directory, allAtOnce });
    return bytes.byPart.ram.sent;
  }

  test('sends next to nothing for pages that moved', async () => {
    expect(await bytesAfter((ram) => void page(ram, 20).copy(ram, 3 * PAGE_SIZE))).toBeLessThan(60);
  });

  test('sends a new page whole, and a few changed bytes as that', async () => {
    expect(
      await bytesAfter((ram) => void randomBytes(PAGE_SIZE).copy(page(ram, 4))),
    ).toBeGreaterThan(PAGE_SIZE);
    expect(await bytesAfter((ram) => void page(ram, 4).fill(7, 100, 108))).toBeLessThan(250);
  });

  test('taken at once, sends content that two chunks share a single time', async () => {
    // The same new content twice, not aligned to pages: no chunk's own base has it.
    const change = (ram: Buffer) => {
      const fresh = randomBytes(PAGE_SIZE - 64);
      fresh.copy(page(ram, 4));
      fresh.copy(page(ram, 9), 64);
    };
    expect(await bytesAfter(change, true)).toBeLessThan(PAGE_SIZE + 1000);
  });
});

describe('the design of 2008', () => {
  async function bytesOf(replayedDisk: (disk: Buffer) => void, targetDisk: (disk: Buffer) => void) {
    const [ram, disk] = [randomBytes(PAGES * PAGE_SIZE), randomBytes(PAGES * PAGE_SIZE)];
    const [mine, theirs] = [Buffer.from(disk), Buffer.from(disk)];
    targetDisk(mine);
    replayedDisk(theirs);
    const base = await stateOf('base', ram, disk);
    const target = await stateOf('target', ram, mine);
    const replay = await stateOf('replay', ram, theirs);
    const changed = { ram: new BigUint64Array(0), disk: BigUint64Array.of(2n, 4n) };
    return await measurePaper2008(
      {
        replay: { state: replay.state, changed, ram: replay.files.ram },
        target: { state: target.state, changed, files: target.files },
        base: base.files,
        logBytes: 11,
      },
      { directory },
    );
  }
  const write = (n: number, content: Buffer) => (disk: Buffer) => void content.copy(page(disk, n));

  test('asks for 20 bytes a changed chunk, and sends nothing that the replay made', async () => {
    const fresh = randomBytes(PAGE_SIZE);
    const bytes = await bytesOf(write(3, fresh), write(3, fresh));
    expect([bytes.digests, bytes.disk.sent, bytes.log]).toEqual([4 * 20, 0, 11]);
  });

  test('sends what the replay put at another position, since it looks at the same one', async () => {
    const fresh = randomBytes(PAGE_SIZE);
    const bytes = await bytesOf(write(4, fresh), write(3, fresh));
    // The chunk, and the one that the replay wrote and the session did not.
    expect(bytes.disk.sent).toBeGreaterThan(2 * PAGE_SIZE);
    expect(bytes.disk.sent).toBeLessThan(2 * PAGE_SIZE + 100);
  });
});
