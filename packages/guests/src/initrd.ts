import { readdir, readFile, stat } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { gzipSync } from 'node:zlib';
import { encodeCpio, type CpioEntry } from './cpio.js';
import { kernelRelease } from './debian-packages.js';
import { loadModuleClosure } from './kernel-modules.js';

/**
 * An initramfs: Debian's static busybox, kernel modules with the order to load them in
 * (`/lib/modules/load-order`), and the recipe's own files, of which `/init` is the first program to run.
 *
 * @param packages the root of the extracted packages
 * @param files a directory laid out as the initramfs is
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
      ...(await readTree(files, directories)),
    ]),
    { level: 6 },
  );
}

async function readTree(root: string, known: readonly string[]): Promise<CpioEntry[]> {
  const entries: CpioEntry[] = [];
  const found = await readdir(root, { recursive: true, withFileTypes: true });
  const paths = found.map((entry) => relative(root, join(entry.parentPath, entry.name))).sort();
  for (const path of paths) {
    const { mode } = await stat(join(root, path));
    if ((mode & 0o170000) === 0o040000) {
      if (!known.includes(path)) entries.push({ path, type: 'directory' });
    } else {
      // Git keeps only the executable bit; the caller's umask must not matter.
      entries.push({
        path,
        type: 'file',
        mode: (mode & 0o100) === 0 ? 0o644 : 0o755,
        data: await readFile(join(root, path)),
      });
    }
  }
  return entries;
}
