// Builds the addon with the headers that came with this Node: nothing is downloaded. Does nothing when
// the addon is newer than everything it is made from.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const addon = join(root, 'build/Release/differ.node');

function newestChange(path) {
  const status = statSync(path);
  if (!status.isDirectory()) return status.mtimeMs;
  return Math.max(0, ...readdirSync(path).map((name) => newestChange(join(path, name))));
}

const inputs = ['native', 'binding.gyp', 'package.json', 'scripts/build-native.mjs'];
const changed = Math.max(...inputs.map((name) => newestChange(join(root, name))));
if (existsSync(addon) && statSync(addon).mtimeMs > changed) process.exit(0);

const nodeDirectory = dirname(dirname(process.execPath));
if (!existsSync(join(nodeDirectory, 'include/node/node_api.h'))) {
  console.error(
    `No Node headers under ${nodeDirectory}/include/node. Install them (Debian: libnode-dev) or use a Node that carries them.`,
  );
  process.exit(1);
}
const nodeGyp = createRequire(import.meta.url).resolve('node-gyp/bin/node-gyp.js');
const built = spawnSync(
  process.execPath,
  [nodeGyp, 'configure', 'build', '--jobs', '2', '--nodedir', nodeDirectory],
  { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] },
);
if (built.status !== 0) {
  console.error(
    'The native build failed. It needs g++, make, python3 and Debian’s libzstd-dev, libxxhash-dev, libssl-dev.',
  );
}
process.exit(built.status ?? 1);
