import { spawnSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';

import { describe, expect, test } from '@jest/globals';

import { BLOCK_SIZE } from './index.js';
import { NbdClient } from './testing/nbd-client.js';
import { runOk, ServingProcess } from './testing/run.js';
import { Scratch } from './testing/scratch.js';

const size = 64 << 20;
const namespaces = ['--user', '--map-root-user', '--mount'];
/** A small file system of the test's own; some containers forbid the namespaces that this takes. */
const possible =
  spawnSync('unshare', [...namespaces, 'mount', '-t', 'tmpfs', 'none', '/mnt']).status === 0;

const content = (block: number): Buffer => Buffer.alloc(BLOCK_SIZE, `block ${block} `);

describe('an overlay on a file system that runs full', () => {
  (possible ? test : test.skip)(
    'costs the client ENOSPC and no acknowledged write, and goes on when there is room',
    async () => {
      await using scratch = await Scratch.create();
      const chain = await scratch.chain(size, 0);
      const mounted = scratch.path('mounted');
      const socketPath = scratch.path('s');
      const setUp = `mkdir "$0" && mount -t tmpfs -o size=12m tmpfs "$0" && cp -a "${chain.overlay}" "$0/overlay" && exec "$@"`;
      await using server = await ServingProcess.start(
        { chain: { ...chain, overlay: `${mounted}/overlay` }, serve: { socketPath } },
        ['unshare', ...namespaces, 'sh', '-c', setUp, mounted],
      );
      const client = await NbdClient.connect(socketPath);
      const written: number[] = [];
      let refusal: Error | undefined;
      // Every other block, so that the log grows with the data.
      for (let block = 0; block < size / BLOCK_SIZE && refusal === undefined; block += 2) {
        await client.write(block * BLOCK_SIZE, content(block)).then(
          () => written.push(block),
          (error: unknown) => (refusal = error as Error),
        );
      }
      expect(refusal?.message).toBe('NBD error 28'); // NBD_ENOSPC
      expect(written.length).toBeGreaterThan(100);
      await expectWritten(scratch, socketPath, written);

      await runOk('nsenter', [
        ...['--target', String(server.child.pid), '--user', '--mount', '--preserve-credentials'],
        ...['mount', '-o', 'remount,size=100m', mounted],
      ]);
      const next = (written.at(-1) ?? 0) + 2;
      await client.write(next * BLOCK_SIZE, content(next));
      await client.flush();
      await expectWritten(scratch, socketPath, [...written, next]);
      client.close();
    },
    120_000,
  );
});

/** These blocks read as they were written, every other one as the base has it: zeros. */
async function expectWritten(scratch: Scratch, socketPath: string, written: readonly number[]) {
  const copy = scratch.path('copy');
  await runOk('nbdcopy', [`nbd+unix:///disk?socket=${socketPath}`, copy]);
  const expected = Buffer.alloc(size);
  for (const block of written) content(block).copy(expected, block * BLOCK_SIZE);
  expect(expected.equals(await readFile(copy))).toBe(true);
}
