// Builds the Node addon with cmake-js and the headers it brings along; nothing is
// downloaded. A second run compiles only what changed.
import { spawnSync } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const require = createRequire(import.meta.url);
const cmakeJs = join(dirname(require.resolve('cmake-js/package.json')), 'bin', 'cmake-js');

const out = join(root, 'build', 'addon');
if (configuredFor(out) !== root) rmSync(out, { recursive: true, force: true });

const result = spawnSync(
  process.execPath,
  [cmakeJs, 'build', '--out', 'build/addon', '--parallel', '2', '--log-level', 'error'],
  { cwd: root, stdio: 'inherit' },
);
if (result.error) throw result.error;
process.exitCode = result.status ?? 1;

/** The sources that a build directory compiles: another checkout's, where it was copied or moved. cmake-js does not look. */
function configuredFor(directory) {
  try {
    const cache = readFileSync(join(directory, 'CMakeCache.txt'), 'utf8');
    return /^CMAKE_HOME_DIRECTORY:INTERNAL=(.*)$/m.exec(cache)?.[1];
  } catch (error) {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  }
}
