import { chmod, copyFile, mkdir, readdir, stat, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';

/** A file of a recipe, with the mode it has in a guest. */
export interface RecipeFile {
  /** Relative to the recipe's directory it was listed from. */
  readonly path: string;
  /** 0644 or 0755: git keeps only the executable bit, and the umask of a checkout must not matter. */
  readonly mode: number;
}

/** Every file below `directory`, in the order of their names. */
export async function listRecipeFiles(directory: string): Promise<RecipeFile[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const paths = entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(directory, join(entry.parentPath, entry.name)))
    .sort();
  return Promise.all(
    paths.map(async (path) => {
      const { mode } = await stat(join(directory, path));
      return { path, mode: (mode & 0o100) === 0 ? 0o644 : 0o755 };
    }),
  );
}

/** Copies a recipe's files into a guest's tree, over what is there. */
export async function copyRecipeFiles(directory: string, tree: string): Promise<void> {
  for (const { path, mode } of await listRecipeFiles(directory)) {
    const target = join(tree, path);
    await makeGuestDirectory(tree, dirname(path));
    await copyFile(join(directory, path), target);
    await chmod(target, mode);
  }
}

/** Writes a file everybody in the guest may read, whatever the umask is here. */
export async function writeGuestFile(path: string, content: string): Promise<void> {
  await writeFile(path, content);
  await chmod(path, 0o644);
}

async function makeGuestDirectory(tree: string, path: string): Promise<void> {
  const created = await mkdir(join(tree, path), { recursive: true });
  if (created === undefined) return;
  for (let made = join(tree, path); made.length >= created.length; made = dirname(made)) {
    await chmod(made, 0o755);
  }
}
