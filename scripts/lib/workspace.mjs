// The workspace's dependencies and builds, each skipped when nothing they are made from has changed.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { fail, run, say } from './process.mjs';

export const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** Beside what it vouches for: removing node_modules removes the stamps. */
const STAMPS = join(ROOT, 'node_modules', '.reprise');
const NOT_SOURCES = new Set(['node_modules', 'dist', 'build', 'docs', 'coverage', '.turbo']);
/** Neither asks questions nor reports home. */
const ENVIRONMENT = {
  TURBO_TELEMETRY_DISABLED: '1',
  DO_NOT_TRACK: '1',
  CI: process.env.CI ?? 'true',
  // `npm test --silent` would have pnpm fail without a word.
  npm_config_loglevel: 'warn',
};

const readJson = (path) => JSON.parse(readFileSync(path, 'utf8'));

/** The directories of the workspace's packages, relative to its root. */
export function packageDirectories() {
  const packages = readdirSync(join(ROOT, 'packages')).map((name) => join('packages', name));
  return [...packages, 'examples'].filter((path) => existsSync(join(ROOT, path, 'package.json')));
}

export function checkNode() {
  const wanted = readJson(join(ROOT, 'package.json'))
    .engines.node.match(/(\d+)\.(\d+)/)
    .slice(1);
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major < wanted[0] || (major === Number(wanted[0]) && minor < wanted[1])) {
    fail(
      `Node ${wanted.join('.')} or newer is needed; this is ${process.versions.node}. Install it from nodejs.org or your distribution.`,
    );
  }
  // Debian's package leaves the headers to libnode-dev, which setup installs; others bring them along.
  const prefix = dirname(dirname(process.execPath));
  if (prefix !== '/usr' && !existsSync(join(prefix, 'include', 'node', 'node_api.h'))) {
    fail(
      `this Node has no headers (${prefix}/include/node), which the native builds need. Use the archive from nodejs.org.`,
    );
  }
}

export async function installDependencies() {
  const files = ['package.json', 'pnpm-lock.yaml', 'pnpm-workspace.yaml'];
  const manifests = packageDirectories().map((path) => join(path, 'package.json'));
  const wanted = digest([
    process.versions.node,
    ...[...files, ...manifests].map((path) => readFileSync(join(ROOT, path))),
  ]);
  if (isCurrent('dependencies', wanted)) return;
  say('installing the npm packages');
  if ((await pnpm(['install', '--frozen-lockfile', '--prefer-offline'])) !== 0) {
    fail('pnpm could not install the npm packages; correct what it says above and run this again');
  }
  stamp('dependencies', wanted);
}

export async function buildPackages() {
  const wanted = digest([process.versions.modules, ...sourceStates()]);
  if (isCurrent('build', wanted) && outputsExist()) return;
  say('building (native and TypeScript)');
  const turbo = ['exec', 'turbo', 'run', 'build', 'build:native', '--output-logs=errors-only'];
  if ((await pnpm(turbo)) !== 0) {
    fail('the build failed; correct what is said above and run this again');
  }
  stamp('build', wanted);
}

/** pnpm at the version the workspace pins, by npx: corepack is not everywhere. It puts itself on turbo's PATH. */
async function pnpm(args) {
  const version = readJson(join(ROOT, 'package.json')).packageManager.match(/^pnpm@([\d.]+)/)[1];
  const { status } = await run('npx', ['--yes', `pnpm@${version}`, ...args], {
    cwd: ROOT,
    env: ENVIRONMENT,
    show: 'stderr',
    timeoutMs: 60 * 60_000,
  });
  return status;
}

/** Path, size and time of everything a build reads. */
function sourceStates() {
  const states = ['tsconfig.base.json', 'turbo.json', 'pnpm-lock.yaml'].map((name) => state(name));
  const visit = (directory) => {
    for (const entry of readdirSync(join(ROOT, directory), { withFileTypes: true })) {
      if (NOT_SOURCES.has(entry.name) || entry.name.endsWith('.test.ts')) continue;
      const path = join(directory, entry.name);
      if (entry.isDirectory()) visit(path);
      else if (entry.isFile()) states.push(state(path));
    }
  };
  for (const path of packageDirectories()) visit(path);
  return states;
}

function state(path) {
  const { size, mtimeMs } = statSync(join(ROOT, path));
  return `${path} ${size} ${mtimeMs}`;
}

function outputsExist() {
  return packageDirectories().every((path) => {
    const { scripts = {} } = readJson(join(ROOT, path, 'package.json'));
    return (
      (scripts.build === undefined || existsSync(join(ROOT, path, 'dist'))) &&
      (scripts['build:native'] === undefined || existsSync(join(ROOT, path, 'build')))
    );
  });
}

const digest = (parts) => {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(`${part.length}:`).update(part);
  return hash.digest('hex');
};

const isCurrent = (name, wanted) => {
  const path = join(STAMPS, name);
  return existsSync(path) && readFileSync(path, 'utf8') === wanted;
};

const stamp = (name, value) => {
  mkdirSync(STAMPS, { recursive: true });
  writeFileSync(join(STAMPS, name), value);
};
