import { chmod, cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { desktop } from './desktop.js';
import { hashRecipe, type GuestRecipe } from './recipe.js';
import { tiny } from './tiny.js';

let recipe: GuestRecipe;
beforeEach(async () => {
  const files = await mkdtemp(join(tmpdir(), 'reprise-recipe-'));
  await cp(tiny.files, files, { recursive: true });
  recipe = { ...tiny, files };
});
afterEach(async () => {
  await rm(recipe.files, { recursive: true, force: true });
});

test('a recipe hashes alike wherever its files lie', async () => {
  expect(await hashRecipe(recipe)).toBe(await hashRecipe(tiny));
  expect(await hashRecipe(recipe)).toMatch(/^[0-9a-f]{16}$/);
});

test('each guest has a hash of its own', async () => {
  expect(await hashRecipe(tiny)).not.toBe(await hashRecipe(desktop));
});

test('memory, packages, the kernel command line and the revision change the hash', async () => {
  const hashes = await Promise.all(
    [
      recipe,
      { ...recipe, memoryMiB: 128 },
      { ...recipe, append: 'quiet' },
      { ...recipe, revision: recipe.revision + 1 },
      { ...recipe, packages: { ...recipe.packages, packages: ['busybox-static'] } },
    ].map(hashRecipe),
  );
  expect(new Set(hashes).size).toBe(hashes.length);
});

test("a file's content, name and executable bit change the hash", async () => {
  const hashes = [await hashRecipe(recipe)];
  await writeFile(join(recipe.files, 'home', 'letter.txt'), 'changed\n');
  hashes.push(await hashRecipe(recipe));
  await writeFile(join(recipe.files, 'home', 'new.txt'), '');
  hashes.push(await hashRecipe(recipe));
  await chmod(join(recipe.files, 'home', 'new.txt'), 0o755);
  hashes.push(await hashRecipe(recipe));
  expect(new Set(hashes).size).toBe(hashes.length);
});
