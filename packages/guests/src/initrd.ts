import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
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
 * @param programs paths below `packages` of programs and libraries that busybox does not stand for
 */
export async function buildInitrd(
  packages: string,
  files: string,
  moduleNames: readonly string[],
  programs: readonly string[] = [],
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
      ...(await copyPrograms(packages, programs)),
      ...(await readTree(files)),
    ]),
    { level: 6 },
  );
}

/** Programs into /bin, libraries into /lib, the loader to where every program looks for it. */
async function copyPrograms(packages: string, paths: readonly string[]): Promise<CpioEntry[]> {
  if (paths.length === 0) return [];
  const entries: CpioEntry[] = [{ path: 'lib64', type: 'directory' }];
  for (const path of paths) {
    const name = basename(path);
    const directory = name.startsWith('ld-linux') ? 'lib64' : name.includes('.so') ? 'lib' : 'bin';
    const data = await readFile(join(packages, path));
    entries.push({ path: `${directory}/${name}`, type: 'file', mode: 0o755, data });
  }
  return entries;
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
