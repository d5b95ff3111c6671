import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DEBIAN_SUITE, type PackageSet } from './debian-packages.js';
import type { Ext4Layout } from './ext4-image.js';
import { listRecipeFiles } from './recipe-files.js';

/** Guests that reprise migrates. */
export type GuestName = 'tiny' | 'desktop';

/** Everything there is a recipe for: the guests, and a Xen host to test on. */
export type ImageName = GuestName | 'xen-host';

/** The line on the guest's first serial port that says it can be used. */
export const READY_MARKER = 'REPRISE-GUEST-READY';

/** What a guest consists of and how its disk is filled. */
export interface GuestRecipe {
  readonly name: ImageName;
  /** Raise it when code changes what is built: code is not part of the recipe's hash, data and files are. */
  readonly revision: number;
  readonly memoryMiB: number;
  /** The kernel's command line. */
  readonly append: string;
  /** Boots in front of the kernel: a gzipped file of the packages, and its own command line. */
  readonly hypervisor?: { readonly path: string; readonly append: string };
  readonly packages: PackageSet;
  /** Kernel modules the initrd loads, in this order; what they depend on comes first. */
  readonly modules: readonly string[];
  readonly disk: Ext4Layout;
  /** The recipe's own files: `initrd/` goes into the initramfs, the rest is `layOutDisk`'s. */
  readonly files: string;
  /** Fills the empty directory `tree` with what the disk shall hold. */
  layOutDisk(materials: DiskMaterials): Promise<void>;
  /** Boot the guest once, with `reprise.install` on its command line, to run its install steps. */
  readonly install: boolean;
}

/** What a disk is laid out from. */
export interface DiskMaterials {
  /** The root of the extracted packages; its files may be moved. */
  readonly packages: string;
  /** The archives of packages that are carried as they are, by package name. */
  readonly carried: ReadonlyMap<string, string>;
  readonly tree: string;
  readonly signal?: AbortSignal | undefined;
}

/** The directory of a recipe's own files; the same from `src` and from `dist`. */
export function recipeFiles(name: ImageName): string {
  return fileURLToPath(new URL(`../recipes/${name}`, import.meta.url));
}

/** Names what a recipe builds: 16 hexadecimal digits over its data and every path, mode and byte of its files. */
export async function hashRecipe(recipe: GuestRecipe): Promise<string> {
  const hash = createHash('sha256');
  const { files, ...data } = recipe;
  hash.update(JSON.stringify({ suite: DEBIAN_SUITE, ...data }));
  for (const { path, mode } of await listRecipeFiles(files)) {
    const content = await readFile(join(files, path));
    hash.update(JSON.stringify([path, mode, content.length]));
    hash.update(content);
  }
  return hash.digest('hex').slice(0, 16);
}
