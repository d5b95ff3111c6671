import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { GuestError, systemErrorCode } from './errors.js';
import type { BuildOptions } from './build-options.js';
import { imageFiles, type GuestDescription } from './guest-build.js';
import { acquireLock } from './lock.js';
import { hashRecipe, type GuestRecipe, type ImageName } from './recipe.js';

/** A built guest: absolute paths of read-only files, and what a VM made from it needs. */
export interface GuestImages {
  readonly name: ImageName;
  readonly directory: string;
  readonly kernel: string;
  readonly initrd: string;
  /** A sparse raw image. Never write to it: give the VM an overlay or a copy. */
  readonly disk: string;
  readonly memoryMiB: number;
  /** The kernel's command line. */
  readonly append: string;
  readonly diskBytes: number;
  /** Where a hypervisor boots first: an ELF file for QEMU's -kernel, with its command line. */
  readonly hypervisor?: { readonly file: string; readonly append: string };
}

/** Builds a guest into an empty directory; see `buildGuest`. */
export type GuestBuilder = (
  recipe: GuestRecipe,
  directory: string,
  o: BuildOptions,
) => Promise<void>;

/** `${REPRISE_CACHE:-${XDG_CACHE_HOME:-~/.cache}/reprise}/guests` */
export function guestsDirectory(env: NodeJS.ProcessEnv = process.env): string {
  const cache =
    nonEmpty(env['REPRISE_CACHE']) ??
    join(nonEmpty(env['XDG_CACHE_HOME']) ?? join(homedir(), '.cache'), 'reprise');
  return join(cache, 'guests');
}

/**
 * The images of `recipe` below `root`, built if they are not there yet.
 *
 * A guest is built in a directory of its own and renamed when complete, so a directory with the final name
 * is a whole guest. Builders of the same guest wait for each other; guests of older recipes are removed.
 */
export async function obtainGuest(
  recipe: GuestRecipe,
  build: GuestBuilder,
  root: string,
  o: BuildOptions,
): Promise<GuestImages> {
  const directory = join(root, `${recipe.name}-${await hashRecipe(recipe)}`);
  const cached = await readGuest(recipe, directory);
  if (cached !== undefined) return cached;

  await mkdir(root, { recursive: true });
  await using _lock = await acquireLock(join(root, `.${recipe.name}.lock`), {
    signal: o.signal,
    onWait: () => {
      o.onProgress(`waiting for another build of the guest ${recipe.name} to end`);
    },
  });
  const builtMeanwhile = await readGuest(recipe, directory);
  if (builtMeanwhile !== undefined) return builtMeanwhile;

  await removeMatching(root, new RegExp(`^\\.building-${recipe.name}-`));
  const building = await mkdtemp(join(root, `.building-${recipe.name}-`));
  try {
    await build(recipe, building, o);
    await rm(directory, { recursive: true, force: true });
    await rename(building, directory);
  } finally {
    await rm(building, { recursive: true, force: true, maxRetries: 3 });
  }
  const built = await readGuest(recipe, directory);
  if (built === undefined) {
    throw new GuestError(
      'GUEST_RECIPE_INVALID',
      `The build of ${recipe.name} left no usable guest in ${directory}. Remove that directory and build again.`,
      { directory },
    );
  }
  await removeMatching(
    root,
    new RegExp(`^${recipe.name}-(?!${await hashRecipe(recipe)}$)[0-9a-f]{16}$`),
  );
  return built;
}

/** The guest in `directory`, or undefined if there is none or a file of it is gone or cut short. */
async function readGuest(recipe: GuestRecipe, directory: string): Promise<GuestImages | undefined> {
  try {
    const text = await readFile(join(directory, 'guest.json'), 'utf8');
    const { files } = JSON.parse(text) as Partial<GuestDescription>;
    for (const file of imageFiles(recipe)) {
      if ((await stat(join(directory, file))).size !== files?.[file]?.bytes) return undefined;
    }
  } catch (error) {
    if (error instanceof SyntaxError || systemErrorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
  return {
    name: recipe.name,
    directory,
    kernel: join(directory, 'vmlinuz'),
    initrd: join(directory, 'initrd'),
    disk: join(directory, 'disk.raw'),
    memoryMiB: recipe.memoryMiB,
    append: recipe.append,
    diskBytes: recipe.disk.sizeBytes,
    ...(recipe.hypervisor && {
      hypervisor: { file: join(directory, 'hypervisor'), append: recipe.hypervisor.append },
    }),
  };
}

async function removeMatching(root: string, pattern: RegExp): Promise<void> {
  for (const name of await readdir(root)) {
    if (pattern.test(name)) await rm(join(root, name), { recursive: true, force: true });
  }
}

function nonEmpty(value: string | undefined): string | undefined {
  return value === '' ? undefined : value;
}
