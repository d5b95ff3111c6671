import { describe, expect, test } from '@jest/globals';

import { VirtualDisk } from './index.js';
import { firstBlockIsSevens, runDriverProgram, writeAndServe } from './testing/driver-program.js';
import { Scratch } from './testing/scratch.js';

describe('the life of the addon', () => {
  test('process.exit while serving ends the process and loses nothing', async () => {
    await using scratch = await Scratch.create();
    const { chain, result } = await runDriverProgram(scratch, `${writeAndServe} process.exit(3);`);
    expect(result).toMatchObject({ code: 3, stderr: '' });
    expect(await firstBlockIsSevens(chain)).toBe(true);
  });

  test('a process that forgets to close ends by itself', async () => {
    await using scratch = await Scratch.create();
    const { chain, result } = await runDriverProgram(scratch, writeAndServe);
    expect(result).toMatchObject({ code: 0, stderr: '' });
    expect(await firstBlockIsSevens(chain)).toBe(true);
  });

  test('an uncaught error while serving ends the process as usual', async () => {
    await using scratch = await Scratch.create();
    const { chain, result } = await runDriverProgram(
      scratch,
      `${writeAndServe} throw new Error('boo');`,
    );
    expect(result.code).toBe(1);
    expect(result.stderr).toContain('boo');
    expect(await firstBlockIsSevens(chain)).toBe(true);
  });

  test('a disk that is collected as garbage gives its overlay free', async () => {
    await using scratch = await Scratch.create();
    const { result } = await runDriverProgram(
      scratch,
      `
await (async () => { const disk = await VirtualDisk.open(chain); await disk.read(0n, 1); })();
for (let i = 0; i < 200; i++) {
  globalThis.gc();
  await new Promise((resolve) => setTimeout(resolve, 5));
  try { await (await VirtualDisk.open(chain)).close(); console.log('free'); break; }
  catch (error) { if (error.code !== 'OVERLAY_BUSY') throw error; }
}`,
      ['--expose-gc'],
    );
    expect(result).toMatchObject({ code: 0, stdout: 'free\n' });
  });

  test('worker threads have disks of their own, and one that is terminated frees its own', async () => {
    await using scratch = await Scratch.create();
    const { chain, result } = await runDriverProgram(
      scratch,
      `
import { Worker, isMainThread, parentPort } from 'node:worker_threads';
import { fileURLToPath } from 'node:url';
if (isMainThread) {
  for (let i = 0; i < 3; i++) {
    const worker = new Worker(fileURLToPath(import.meta.url));
    await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
    await worker.terminate();
  }
  await (await VirtualDisk.open(chain)).close();
  console.log('done');
} else {
  ${writeAndServe.replaceAll('\n', ' ')}
  setInterval(() => disk.read(0n, 4096), 1);
  parentPort.postMessage('serving');
}`,
    );
    expect(result).toMatchObject({ code: 0, stdout: 'done\n', stderr: '' });
    expect(await firstBlockIsSevens(chain)).toBe(true);
  });

  test('closing while requests run lets them end first', async () => {
    await using scratch = await Scratch.create();
    const disk = await VirtualDisk.open(await scratch.chain(1 << 20));
    const writes = Array.from({ length: 50 }, (_, i) =>
      disk.write(BigInt(i * 4096), Buffer.alloc(4096, i)).catch((error: unknown) => error),
    );
    await disk.close();
    for (const outcome of await Promise.all(writes)) {
      if (outcome !== undefined) expect(outcome).toMatchObject({ code: 'DISK_CLOSED' });
    }
  });
});
