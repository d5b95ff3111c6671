#!/usr/bin/env node
// Checks the C++ of every package: clang-format and who includes napi.h always, clang-tidy with --tidy. --fix formats
// in place.
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { installPackages } from './lib/apt.mjs';
import { fail, run } from './lib/process.mjs';
import { missingRequirements } from './lib/requirements.mjs';
import { packageDirectories, ROOT } from './lib/workspace.mjs';

const { values } = parseArgs({
  options: { fix: { type: 'boolean', default: false }, tidy: { type: 'boolean', default: false } },
});

await installPackages(
  missingRequirements(['lint']).filter((need) => values.tidy || need.program !== 'clang-tidy'),
);

const format = values.fix ? ['-i'] : ['--dry-run', '-Werror'];
const sources = packageDirectories().flatMap((directory) => nativeSources(directory));
if (
  sources.length > 0 &&
  (await run('clang-format', [...format, ...sources], { cwd: ROOT })).status !== 0
) {
  fail('clang-format would change the files named above; "npm run format" does it');
}
checkBindings();
if (values.tidy) await tidy();

/** The cores know nothing of Node: their own tests, fuzzers and the programs for dom0 are built without it. */
function checkBindings() {
  const outside = sources.filter(
    (name) =>
      !name.includes('/native/binding/') &&
      /^\s*#\s*include\s*[<"](binding\/|napi\.h|node_api\.h|js_native_api)/m.test(
        readFileSync(join(ROOT, name), 'utf8'),
      ),
  );
  if (outside.length > 0) {
    fail(`only native/binding/ may include napi.h or what stands there: ${outside.join(', ')}`);
  }
}

function nativeSources(directory) {
  const native = join(ROOT, directory, 'native');
  if (!existsSync(native)) return [];
  return readdirSync(native, { recursive: true })
    .filter((name) => /\.(cpp|hpp|cc|h)$/.test(name))
    .map((name) => join(directory, 'native', name));
}

/** clang-tidy wants to know how a file is compiled; cmake says it for the packages that use it. */
async function tidy() {
  for (const directory of packageDirectories()) {
    if (!existsSync(join(ROOT, directory, 'CMakeLists.txt'))) continue;
    const build = join(ROOT, directory, 'build', 'tidy');
    const configure = ['-S', join(ROOT, directory), '-B', build, '-DREPRISE_TESTS=ON'];
    const configured = await run('cmake', [...configure, '-DCMAKE_EXPORT_COMPILE_COMMANDS=ON']);
    const files = nativeSources(directory).filter(
      (name) => /\.(cpp|cc)$/.test(name) && !/\/(binding|fuzz)\//.test(name),
    );
    const checked =
      configured.status === 0
        ? await run('clang-tidy', ['-p', build, '--quiet', ...files], { cwd: ROOT })
        : configured;
    if (checked.status !== 0) fail(`clang-tidy found fault with ${directory}; see above`);
  }
}
