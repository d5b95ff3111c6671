import { writeFile } from 'node:fs/promises';
import { fileURLToPath, pathToFileURL } from 'node:url';

import { describe, expect, test } from '@jest/globals';

import { VirtualDisk } from './index.js';
import { run } from './testing/run.js';
import { Scratch } from './testing/scratch.js';

const driver = pathToFileURL(fileURLToPath(new URL('../dist/index.js', import.meta.url))).href;

/** Runs a module in a process of its own; `chain` and `socketPath` are defined. */
async function inProcess(scratch: Scratch, body: string, flags: string[] = []) {
  const chain = await scratch.chain(1 << 20);
  const module = scratch.path('program.mjs');
  await writeFile(
    module,
    `import { VirtualDisk } from ${JSON.stringify(driver)};
const chain = ${JSON.stringify(chain)};
const socketPath = ${JSON.stringify(scratch.path('s'))};
${body}`,
  );
  return { chain, result: await run(process.execPath, [...flags, module], 20_000) };
}

/** The overlay is free again and can be used. */
async function expectUsable(chain: Parameters<typeof VirtualDisk.open>[0]): Promise<void> {
  await using disk = await VirtualDisk.open(chain);
  expect(await disk.read(0n, 4096)).toEqual(Buffer.alloc(4096, 7));
}

const writeAndServe = `
const disk = await VirtualDisk.open(chain);
await disk.write(0n, Buffer.alloc(4096, 7));
await disk.serve({ socketPath });
`;

describe('the life of the addon', () => {
  test('process.exit while serving ends the process and loses nothing', async () => {
    await using scratch = await Scratch.create();
    const { chain, result } = await inProcess(scratch, `${writeAndServe} process.exit(3);`);
    expect(result).toMatchObject({ code: 3, stderr: '' });
    await expectUsable(chain);
  });

  test('a process that forgets to close ends by itself', async () => {
    await using scratch = await Scratch.create();
    const { chain, result } = await inProcess(scratch, writeAndServe);
    expect(result).toMatchObject({ code: 0, stderr: '' });
    await expectUsable(chain);
  });

  test('an uncaught error while serving ends the process as usual', async () => {
    await using scratch = await Scratch.create();
    const { chain, result } = await inProcess(scratch, `${writeAndServe} throw new Error('boo');`);
    expect(result.code).toBe(1);
    expect(result.stderr).toContain('boo');
    await expectUsable(chain);
  });

  test('a disk that is collected as garbage gives its overlay free', async () => {
    await using scratch = await Scratch.create();
    const { result } = await inProcess(
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
    const { chain, result } = await inProcess(
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
    await expectUsable(chain);
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
