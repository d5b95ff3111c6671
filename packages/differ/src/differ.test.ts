import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, open, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  compress,
  decompress,
  Differ,
  diffLeaves,
  fileImage,
  LEAF_SIZE,
  leavesOfPages,
  merkleRoot,
  PAGE_SIZE,
  pagesOfLeaves,
  type Image,
  type State,
} from './index.js';

let home: string;
let differ: Differ;
jest.setTimeout(60_000); // a loaded machine flushes slowly
const key = randomBytes(32);
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'differ-'));
  differ = new Differ({ threads: 2, fingerprint: { algorithm: 'xxh3', key } });
});
afterAll(async () => {
  await differ.close();
  await rm(home, { recursive: true, force: true });
});

async function sparseFile(name: string, pages: number, data: Record<number, Buffer>) {
  const path = join(home, name);
  const file = await open(path, 'w');
  await file.truncate(pages * PAGE_SIZE);
  for (const [page, bytes] of Object.entries(data)) {
    await file.write(bytes, 0, bytes.length, Number(page) * PAGE_SIZE);
  }
  await file.close();
  return path;
}

describe('an image', () => {
  test('of a sparse file knows the file’s holes', async () => {
    const path = await sparseFile('holes', 1024, { 256: randomBytes(PAGE_SIZE) });
    const image = await fileImage(path);
    expect(image.sizeBytes).toBe(BigInt(1024 * PAGE_SIZE));
    expect(image.extents.length).toBe(4);
    expect(Number(image.extents[1])).toBeLessThan(1024 * PAGE_SIZE);
  });

  test('of a missing file is a coded error that names the path', async () => {
    await expect(fileImage(join(home, 'nowhere'))).rejects.toMatchObject({
      code: 'FILE_UNREADABLE',
      message: expect.stringContaining('nowhere'),
    });
  });

  test('whose extents leave their file is refused', async () => {
    const path = await sparseFile('short', 4, { 0: randomBytes(PAGE_SIZE) });
    const image: Image = {
      sizeBytes: 1n << 20n,
      files: [path],
      extents: BigUint64Array.of(0n, 1n << 20n, 0n, 0n),
    };
    await expect(differ.compare(image, image)).rejects.toMatchObject({ code: 'IMAGE_INVALID' });
  });
});

describe('compare', () => {
  test('says which pages differ, and pads the shorter image with zeros', async () => {
    const shared = randomBytes(PAGE_SIZE);
    const a = await fileImage(
      await sparseFile('a', 100, { 3: shared, 7: shared, 8: shared, 90: shared }),
    );
    const b = await fileImage(await sparseFile('b', 50, { 3: shared, 8: randomBytes(PAGE_SIZE) }));
    expect(await differ.compare(a, b)).toEqual(BigUint64Array.of(7n, 2n, 90n, 1n));
  });

  test('treats a page of written zeros like a hole', async () => {
    const a = await fileImage(await sparseFile('zeros', 20, { 4: Buffer.alloc(PAGE_SIZE) }));
    const b = await fileImage(await sparseFile('hole', 20, {}));
    expect(await differ.compare(a, b)).toEqual(new BigUint64Array(0));
  });

  test('reads an image whose bytes lie scattered at odd offsets over several files', async () => {
    const bytes = randomBytes(5 * PAGE_SIZE);
    const whole = join(home, 'whole');
    const first = join(home, 'first');
    const second = join(home, 'second');
    await writeFile(whole, bytes);
    await writeFile(first, Buffer.concat([randomBytes(77), bytes.subarray(0, 6000)]));
    await writeFile(second, bytes.subarray(6000));
    const scattered: Image = {
      sizeBytes: BigInt(bytes.length),
      files: [second, first],
      extents: BigUint64Array.of(
        ...[0n, 6000n, 1n, 77n],
        ...[6000n, BigInt(bytes.length - 6000), 0n, 0n],
      ),
    };
    expect(await differ.compare(await fileImage(whole), scattered)).toEqual(new BigUint64Array(0));
  });

  test('stops when it is aborted', async () => {
    const a = await fileImage(await sparseFile('abort', 100, { 0: randomBytes(PAGE_SIZE) }));
    await expect(differ.compare(a, a, { signal: AbortSignal.abort() })).rejects.toMatchObject({
      name: 'AbortError',
    });
  });
});

describe('the proof', () => {
  // The slow, obvious oracle of the tree's definition.
  function oracleRoot(bytes: Buffer): Buffer {
    let level: Buffer[] = [];
    for (let at = 0; at < bytes.length; at += LEAF_SIZE) {
      const leaf = Buffer.alloc(LEAF_SIZE);
      bytes.copy(leaf, 0, at);
      level.push(createHash('sha256').update(Buffer.of(0)).update(leaf).digest());
    }
    while (level.length > 1) {
      const parents: Buffer[] = [];
      for (let i = 0; i < level.length; i += 2) {
        const [left, right] = [level[i], level[i + 1]];
        if (left === undefined) continue;
        parents.push(
          right === undefined
            ? left
            : createHash('sha256').update(Buffer.of(1)).update(left).update(right).digest(),
        );
      }
      level = parents;
    }
    return level[0] ?? createHash('sha256').update(Buffer.of(0)).digest();
  }

  test.each([0, 1, 4096, LEAF_SIZE, LEAF_SIZE * 5 + 512, LEAF_SIZE * 16])(
    'of %i bytes is the SHA-256 tree as documented',
    async (size) => {
      const bytes = randomBytes(size);
      if (size > 3 * LEAF_SIZE) bytes.fill(0, LEAF_SIZE, 2 * LEAF_SIZE);
      const path = join(home, `proof-${size}`);
      await writeFile(path, bytes);
      const root = await differ.hashLeaves(await fileImage(path), `${path}.leaves`);
      expect(Buffer.from(root)).toEqual(oracleRoot(bytes));
    },
  );

  test('is brought up to date from the changed pages alone', async () => {
    const path = join(home, 'update');
    const bytes = randomBytes(9 * LEAF_SIZE + 1000);
    await writeFile(path, bytes);
    const image = await fileImage(path);
    await differ.hashLeaves(image, `${path}.old`);
    bytes.fill(7, 3 * LEAF_SIZE + 5000, 3 * LEAF_SIZE + 6000);
    bytes.fill(9, bytes.length - 10);
    await writeFile(path, bytes);
    const changed = BigUint64Array.of(49n, 1n, 144n, 1n);
    const root = await differ.updateLeaves(`${path}.old`, image, changed, `${path}.new`);
    expect(Buffer.from(root)).toEqual(oracleRoot(bytes));
    const [older, newer] = [await readFile(`${path}.old`), await readFile(`${path}.new`)];
    expect(diffLeaves(older, newer)).toEqual(BigUint64Array.of(3n, 1n, 9n, 1n));
    expect(Buffer.from(merkleRoot(newer))).toEqual(Buffer.from(root));
  });

  test('maps pages to leaves and leaves to pages', () => {
    expect(leavesOfPages(BigUint64Array.of(0n, 1n, 5n, 1n, 15n, 2n, 40n, 1n))).toEqual(
      BigUint64Array.of(0n, 3n),
    );
    expect(pagesOfLeaves(BigUint64Array.of(2n, 2n), 60)).toEqual(BigUint64Array.of(32n, 28n));
  });

  test('refuses digests of another image', async () => {
    const path = join(home, 'foreign');
    await writeFile(path, randomBytes(100));
    const image = await fileImage(await sparseFile('larger', 100, {}));
    await expect(
      differ.updateLeaves(path, image, new BigUint64Array(0), `${path}.new`),
    ).rejects.toMatchObject({ code: 'LEAVES_INVALID' });
  });
});

describe('the content index', () => {
  let states = 0;
  async function state(): Promise<State> {
    const pages = Object.fromEntries(
      Array.from({ length: 64 }, (_, i) => [i * 2, randomBytes(PAGE_SIZE)]),
    );
    return {
      ram: await fileImage(await sparseFile(`index-ram-${++states}`, 128, pages)),
      disk: await fileImage(await sparseFile(`index-disk-${states}`, 128, pages)),
    };
  }
  const everything = {
    ram: BigUint64Array.of(0n, 128n),
    disk: BigUint64Array.of(0n, 128n),
  };

  test('holds each content once a space in at most 16 B and a little', async () => {
    const info = await differ.buildIndex(await state(), join(home, 'index'));
    expect(info.entries).toBe(128);
    // 16 B for the content, eight features of 8 B for what resembles it.
    expect(info.fileBytes).toBeLessThan(128 * (16 + 64) + 2048);
  });

  test.each([
    ['a flipped bit in its header', 20, 'INDEX_CORRUPT'],
    ['a flipped bit in its directory', 74, 'INDEX_CORRUPT'],
    ['entries that a power loss has emptied', 512, 'INDEX_CORRUPT'],
    ['a cut end', -1, 'INDEX_CORRUPT'],
  ])('with %s is refused', async (_, at, code) => {
    const base = await state();
    const path = join(home, 'damaged-index');
    await differ.buildIndex(base, path);
    const table = join(path, '000000.pages');
    const bytes = await readFile(table);
    if (at < 0) {
      await truncate(table, bytes.length - 1);
    } else {
      bytes.writeUInt8(bytes.readUInt8(at) ^ 4, at);
      await writeFile(table, bytes);
    }
    await expect(
      differ.planResidue({ base, target: base, changed: everything, indexPath: path }),
    ).rejects.toMatchObject({ code });
  });

  test('that is not there is said to be missing', async () => {
    const base = await state();
    const indexPath = join(home, 'no-index');
    await expect(
      differ.planResidue({ base, target: base, changed: everything, indexPath }),
    ).rejects.toMatchObject({ code: 'INDEX_CORRUPT' });
  });

  test('of the next snapshot reads only what changed, and finds old and new content', async () => {
    const [old, fresh] = [await state(), await state()];
    const [from, path] = [join(home, 'first-index'), join(home, 'second-index')];
    await differ.buildIndex(old, from);
    const info = await differ.updateIndex({ from, path, state: fresh, changed: everything });
    expect(info.entries).toBe(128);
    const swapped: State = { ram: fresh.disk, disk: fresh.ram };
    await using plan = await differ.planResidue({
      ...{ base: fresh, target: swapped, changed: everything, indexPath: path },
    });
    expect(plan.counts.ram.unknown + plan.counts.disk.unknown).toBe(0);
    // What an older segment still says about replaced pages is not believed.
    await using gone = await differ.planResidue({
      ...{ base: fresh, target: old, changed: everything, indexPath: path },
    });
    expect(gone.counts.ram.unknown).toBe(64);
  });

  test('stays one of few segments however many snapshots follow each other', async () => {
    let current = await state();
    await differ.buildIndex(current, join(home, 'index-0'));
    for (let i = 1; i <= 40; i++) {
      current = { ram: (await state()).ram, disk: current.disk };
      await differ.updateIndex({
        ...{ from: join(home, `index-${i - 1}`), path: join(home, `index-${i}`), state: current },
        changed: { ram: everything.ram, disk: new BigUint64Array(0) },
      });
    }
    expect((await readdir(join(home, 'index-40'))).length).toBeLessThanOrEqual(48);
    await using plan = await differ.planResidue({
      ...{ base: current, target: { ram: current.disk, disk: current.ram }, changed: everything },
      indexPath: join(home, 'index-40'),
    });
    expect(plan.counts.ram.unknown + plan.counts.disk.unknown).toBe(0);
  });

  test('of another key is refused', async () => {
    const base = await state();
    const path = join(home, 'foreign-index');
    await differ.buildIndex(base, path);
    await using other = new Differ({
      threads: 1,
      fingerprint: { algorithm: 'xxh3', key: randomBytes(32) },
    });
    await expect(
      other.planResidue({ base, target: base, changed: everything, indexPath: path }),
    ).rejects.toMatchObject({ code: 'INDEX_MISMATCH' });
  });

  test('works with SHA-1, as in the paper', async () => {
    await using sha1 = new Differ({ threads: 1, fingerprint: { algorithm: 'sha1', key } });
    const base = await state();
    const path = join(home, 'sha1-index');
    await sha1.buildIndex(base, path);
    const target: State = { ram: base.disk, disk: base.ram };
    await using plan = await sha1.planResidue({
      base,
      target,
      changed: everything,
      indexPath: path,
    });
    expect(plan.counts.ram.unknown).toBe(0);
  });

  test('needs a key', async () => {
    await using keyless = new Differ({ threads: 1 });
    await expect(keyless.buildIndex(await state(), join(home, 'x'))).rejects.toMatchObject({
      code: 'FINGERPRINT_KEY_MISSING',
    });
  });
});

describe('pages sent whole', () => {
  test('rebuild an image from what is not zero in it', async () => {
    const path = await sparseFile('seed', 700, {
      0: randomBytes(PAGE_SIZE * 300),
      500: Buffer.alloc(PAGE_SIZE),
      600: randomBytes(PAGE_SIZE),
    });
    const image = await fileImage(path);
    const copy = join(home, 'seeded');
    let pages = 0;
    for await (const frame of differ.encodePages(image, await differ.nonZeroPages(image))) {
      await differ.applyPages(frame.bytes, { path: copy, sizeBytes: image.sizeBytes });
      pages += frame.pages;
    }
    expect(pages).toBe(301);
    expect((await readFile(copy)).equals(await readFile(path))).toBe(true);
  });

  test('never land outside the image', async () => {
    const image = await fileImage(await sparseFile('big', 300, { 299: randomBytes(PAGE_SIZE) }));
    for await (const frame of differ.encodePages(image, BigUint64Array.of(299n, 1n))) {
      await expect(
        differ.applyPages(frame.bytes, { path: join(home, 'small'), sizeBytes: 4096n }),
      ).rejects.toMatchObject({ code: 'CHUNK_CORRUPT' });
    }
  });
});

describe('a blob', () => {
  test('that nearly equals its reference costs next to nothing', async () => {
    const reference = randomBytes(2_500_000);
    const data = Buffer.concat([randomBytes(100), reference.subarray(5000), randomBytes(100)]);
    const packed = await compress(data, { reference });
    expect(packed.length).toBeLessThan(1000);
    const back = await decompress(packed, { reference, maxBytes: data.length });
    expect(Buffer.from(back).equals(data)).toBe(true);
  });

  test('may be empty', async () => {
    expect(await decompress(await compress(new Uint8Array(0)), { maxBytes: 0 })).toHaveLength(0);
  });

  test('that grows past the limit is refused', async () => {
    const bomb = await compress(Buffer.alloc(50_000_000));
    await expect(decompress(bomb, { maxBytes: 1_000_000 })).rejects.toMatchObject({
      code: 'BLOB_TOO_LARGE',
    });
  });

  test('that is damaged, cut or followed by more is refused', async () => {
    const packed = await compress(randomBytes(10_000));
    const cut = packed.subarray(0, packed.length - 1);
    const longer = Buffer.concat([packed, Buffer.of(1)]);
    for (const bad of [cut, longer, Buffer.from('nonsense')]) {
      await expect(decompress(bad, { maxBytes: 20_000 })).rejects.toMatchObject({
        code: 'BLOB_CORRUPT',
      });
    }
  });
});

describe('a closed differ', () => {
  test('says so, and closing twice is fine', async () => {
    const closed = new Differ({ threads: 1 });
    await closed.close();
    await closed.close();
    const image = await fileImage(await sparseFile('closed', 1, {}));
    await expect(closed.compare(image, image)).rejects.toMatchObject({ code: 'CLOSED' });
  });
});
