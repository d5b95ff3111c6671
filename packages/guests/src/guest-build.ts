import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { chmod, copyFile, mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import type { BuildOptions } from './build-options.js';
import { throwIfCancelled } from './command.js';
import { DEBIAN_SUITE, extractPackages, kernelRelease } from './debian-packages.js';
import { makeExt4Image } from './ext4-image.js';
import { buildInitrd } from './initrd.js';
import { installInGuest } from './install-boot.js';
import { hashRecipe, type GuestRecipe } from './recipe.js';

/** What `guest.json` says, beside the files it describes. */
export interface GuestDescription {
  readonly format: 1;
  readonly name: string;
  readonly recipe: string;
  readonly memoryMiB: number;
  readonly append: string;
  readonly diskBytes: number;
  readonly builtFrom: {
    readonly suite: string;
    readonly kernel: string;
    readonly packages: readonly string[];
  };
  readonly files: Readonly<Record<string, { readonly bytes: number; readonly sha256: string }>>;
}

/** The files of a built guest that a VM is started from. */
export const IMAGE_FILES = ['vmlinuz', 'initrd', 'disk.raw'] as const;

/** The same, with what only some recipes have. */
export function imageFiles(recipe: GuestRecipe): readonly string[] {
  return recipe.hypervisor === undefined ? IMAGE_FILES : [...IMAGE_FILES, 'hypervisor'];
}

/**
 * Builds a guest into the empty directory `directory`: `vmlinuz`, `initrd`, `disk.raw`, with some recipes `hypervisor`,
 * and, last, `guest.json`.
 * What is left there after an error is the caller's to remove.
 */
export async function buildGuest(
  recipe: GuestRecipe,
  directory: string,
  o: BuildOptions,
): Promise<void> {
  const { onProgress, signal } = o;
  const work = join(directory, 'work');
  const at = (file: string): string => join(directory, file);
  await mkdir(work);

  onProgress(`fetching Debian ${DEBIAN_SUITE} packages: ${recipe.packages.packages.join(' ')}`);
  const { root, versions, carried } = await extractPackages(recipe.packages, work, o);
  const kernel = await kernelRelease(root);

  onProgress(`making the initrd for Linux ${kernel}`);
  await copyFile(join(root, 'boot', `vmlinuz-${kernel}`), at('vmlinuz'));
  await writeFile(
    at('initrd'),
    await buildInitrd(root, join(recipe.files, 'initrd'), recipe.modules),
  );
  if (recipe.hypervisor !== undefined) {
    const packed = await readFile(join(root, recipe.hypervisor.path));
    await writeFile(at('hypervisor'), await promisify(gunzip)(packed));
  }
  throwIfCancelled(signal);

  onProgress(`making the disk (${recipe.disk.sizeBytes / 1024 / 1024} MiB, sparse)`);
  const tree = join(work, 'disk');
  await mkdir(tree);
  await recipe.layOutDisk({ packages: root, carried, tree, signal });
  await chmod(tree, 0o755);
  throwIfCancelled(signal);
  await makeExt4Image(tree, at('disk.raw'), recipe.disk, signal);
  await rm(work, { recursive: true, force: true });

  if (recipe.install) await installInGuest(recipe, directory, o);

  onProgress('taking digests');
  const files: Record<string, { bytes: number; sha256: string }> = {};
  for (const file of imageFiles(recipe)) {
    // Guests are shared by every VM made from them: nothing may write to them from here on.
    await chmod(at(file), 0o444);
    files[file] = { bytes: (await stat(at(file))).size, sha256: await sha256(at(file), signal) };
  }
  const description: GuestDescription = {
    format: 1,
    name: recipe.name,
    recipe: await hashRecipe(recipe),
    memoryMiB: recipe.memoryMiB,
    append: recipe.append,
    diskBytes: recipe.disk.sizeBytes,
    builtFrom: { suite: DEBIAN_SUITE, kernel, packages: versions },
    files,
  };
  await writeFile(at('guest.json'), JSON.stringify(description, null, 2) + '\n', { mode: 0o444 });
}

async function sha256(path: string, signal: AbortSignal | undefined): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) {
    throwIfCancelled(signal);
    hash.update(chunk as Buffer);
  }
  return hash.digest('hex');
}
