import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { encodeCpio, type CpioEntry } from './cpio.js';
import { kernelRelease } from './debian-packages.js';
import { loadModuleClosure } from './kernel-modules.js';
import { listRecipeFiles } from './recipe-files.js';

/**
 * An initramfs: Debian's static busybox, kernel modules with the order to load them in
 * (`/lib/modules/load-order`), and the recipe's own files, of which `/init` is the first program to run.
 *
 * @param packages the root of the extracted packages
 * @param files a directory laid out as the initramfs is; it may use the directories this one makes
 */
export async function buildInitrd(
  packages: string,
  files: string,
  moduleNames: readonly string[],
): Promise<Buffer> {
  const release = await kernelRelease(packages);
  const modules = await loadModuleClosure(join(packages, 'lib', 'modules', release), moduleNames);
  const order = modules.map((module) => module.name + '\n').join('');
  const directories = [
    'bin',
    'dev',
    'etc',
    'lib',
    'lib/modules',
    'proc',
    'root',
    'run',
    'sys',
    'tmp',
  ];
  return gzipSync(
    encodeCpio([
      ...directories.map((path): CpioEntry => ({ path, type: 'directory' })),
      {
        path: 'bin/busybox',
        type: 'file',
        mode: 0o755,
        data: await readFile(join(packages, 'bin', 'busybox')),
      },
      { path: 'lib/modules/load-order', type: 'file', data: Buffer.from(order) },
      ...modules.map((module): CpioEntry => ({
        path: `lib/modules/${module.name}.ko`,
        type: 'file',
        data: module.data,
      })),
      ...(await readTree(files)),
    ]),
    { level: 6 },
  );
}

async function readTree(root: string): Promise<CpioEntry[]> {
  return Promise.all(
    (await listRecipeFiles(root)).map(async ({ path, mode }): Promise<CpioEntry> => ({
      path,
      type: 'file',
      mode,
      data: await readFile(join(root, path)),
    })),
  );
}
