import { access, open, readdir } from 'node:fs/promises';
import { dirname } from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

import {
  BLOCK_SIZE,
  VirtualDisk,
  createOverlay,
  mergeOverlays,
  overlayBlocks,
  sealOverlayFrom,
} from './index.js';
import { NbdClient } from './testing/nbd-client.js';
import { Scratch } from './testing/scratch.js';

/** Every other block, so that a merge has thousands of pieces to copy. */
const pieces = 4_000;
const sizeBytes = BigInt(2 * pieces * BLOCK_SIZE);
const runs = new BigUint64Array(2 * pieces).map((_, i) => (i % 2 === 0 ? BigInt(i) : 1n));

let scratch: Scratch;
let layer: string;

async function dataFile(name: string): Promise<string> {
  const path = scratch.path(name);
  await using file = await open(path, 'w');
  await file.write(Buffer.alloc(Number(sizeBytes), 5));
  return path;
}

beforeAll(async () => {
  scratch = await Scratch.create();
  layer = scratch.path('layer');
  await sealOverlayFrom(layer, { sizeBytes, dataFile: await dataFile('data'), blocks: runs });
});
afterAll(async () => {
  await scratch[Symbol.asyncDispose]();
});

const aborted = { code: 'ABORTED', cause: 'enough' };
const names = async (): Promise<string[]> => (await readdir(dirname(layer))).sort();

describe('an AbortSignal', () => {
  test('that is aborted already lets nothing begin', async () => {
    const signal = AbortSignal.abort('enough');
    const before = await names();
    const at = scratch.path('never');
    const calls = [
      createOverlay(at, { sizeBytes, signal }),
      sealOverlayFrom(at, { sizeBytes, dataFile: layer, blocks: runs, signal }),
      mergeOverlays(at, [layer], { signal }),
      overlayBlocks([layer], { signal }),
    ];
    for (const call of calls) await expect(call).rejects.toMatchObject(aborted);
    expect(await names()).toEqual(before);
  });

  test('stops a merge in the middle, which leaves nothing and can be done again', async () => {
    const before = await names();
    const stop = new AbortController();
    const at = scratch.path('merged');
    const merging = mergeOverlays(at, [layer, layer], { signal: stop.signal });
    const outcome = merging.catch((error: unknown) => error);
    while ((await names()).length === before.length) await new Promise(setImmediate);
    stop.abort('enough');
    expect(await outcome).toMatchObject(aborted);
    expect(await names()).toEqual(before);
    await mergeOverlays(at, [layer, layer], { signal: new AbortController().signal });
    expect(await overlayBlocks([at])).toEqual(runs);
  });

  test("stops the sealing of a file, which is the caller's again", async () => {
    const file = await dataFile('mine');
    const before = await names();
    const stop = new AbortController();
    const at = scratch.path('sealed');
    const o = { sizeBytes, dataFile: file, blocks: runs, signal: stop.signal };
    const outcome = sealOverlayFrom(at, o).catch((error: unknown) => error);
    stop.abort('enough');
    expect(await outcome).toMatchObject(aborted);
    expect(await names()).toEqual(before);
    await access(file);
  });

  test('closes a server, and one whose server is closed already does nothing', async () => {
    const chain = await scratch.chain(1 << 20);
    await using disk = await VirtualDisk.open(chain);
    const socketPath = scratch.path('s');
    const first = new AbortController();
    await (await disk.serve({ socketPath, signal: first.signal })).close();
    const second = new AbortController();
    const server = await disk.serve({ socketPath, signal: second.signal });
    first.abort();
    const client = await NbdClient.connect(socketPath);
    await client.write(0, Buffer.alloc(BLOCK_SIZE, 1));
    second.abort('enough');
    await server.close();
    await expect(client.flush()).rejects.toThrow('disconnected');
    await expect(access(socketPath)).rejects.toMatchObject({ code: 'ENOENT' });
    await expect(disk.serve({ socketPath, signal: second.signal })).rejects.toMatchObject(aborted);
  });
});
