import { writeFile } from 'node:fs/promises';
import { fileURLToPath, pathToFileURL } from 'node:url';

import { VirtualDisk } from '../index.js';
import type { DiskChain } from '../index.js';
import { run } from './run.js';
import type { RunResult } from './run.js';
import type { Scratch } from './scratch.js';

const built = (name: string): string =>
  pathToFileURL(fileURLToPath(new URL(`../../dist/${name}`, import.meta.url))).href;

/**
 * Runs a module in a process of its own, with `VirtualDisk` and `NbdClient` imported and `chain` (1 MiB) and
 * `socketPath` defined.
 */
export async function runDriverProgram(
  scratch: Scratch,
  body: string,
  flags: readonly string[] = [],
): Promise<{ chain: DiskChain; result: RunResult }> {
  const chain = await scratch.chain(1 << 20);
  const module = scratch.path('program.mjs');
  await writeFile(
    module,
    `import { VirtualDisk } from ${JSON.stringify(built('index.js'))};
import { NbdClient } from ${JSON.stringify(built('testing/nbd-client.js'))};
const chain = ${JSON.stringify(chain)};
const socketPath = ${JSON.stringify(scratch.path('s'))};
${body}`,
  );
  return { chain, result: await run(process.execPath, [...flags, module], 60_000) };
}

/** The overlay is free, and its first block is what `writeAndServe` wrote. */
export async function firstBlockIsSevens(chain: DiskChain): Promise<boolean> {
  await using disk = await VirtualDisk.open(chain);
  return (await disk.read(0n, 4096)).equals(Buffer.alloc(4096, 7));
}

export const writeAndServe = `
const disk = await VirtualDisk.open(chain);
await disk.write(0n, Buffer.alloc(4096, 7));
const server = await disk.serve({ socketPath });
`;
