// libFuzzer over a package's parsers of what is not trusted (clang is needed). PACKAGE is its directory:
//   node scripts/fuzz.mjs PACKAGE [seconds, default 30] [target]   builds, then runs each target for so long
//   node scripts/fuzz.mjs PACKAGE --build | --run TARGET           what ctest does: 2 s a target, 60 with REPRISE_LONG=1
//   node scripts/fuzz.mjs PACKAGE --minimise [target]              makes native/fuzz/corpus of what was found
// New inputs go to the package's build/fuzz/corpus; a crash is left in build/fuzz/NAME-*.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { delimiter, join, resolve } from 'node:path';
import process from 'node:process';

const [directory, first = '30', only] = process.argv.slice(2);
if (directory === undefined) fail('say which package: node scripts/fuzz.mjs packages/differ');
const root = resolve(directory);
const TARGETS = targetsIn(join(root, 'native', 'fuzz'));
const COMPILERS = ['clang++-14', 'clang++', ...[15, 16, 17, 18, 19].map((n) => `clang++-${n}`)];

const chosen = TARGETS.filter((name) => only === undefined || only === name);
if (chosen.length === 0) fail(`there is no target ${only}; use one of ${TARGETS.join(', ')}`);

if (first === '--build') {
  build();
} else if (first === '--run') {
  const seconds = process.env.REPRISE_LONG === '1' ? 60 : 2;
  for (const name of chosen) fuzz(name, seconds);
} else if (first === '--minimise') {
  for (const name of chosen) minimise(name);
} else {
  build();
  for (const name of chosen) fuzz(name, Number(first));
}

function build() {
  const directories = (process.env.PATH ?? '').split(delimiter);
  const compiler = COMPILERS.find((name) =>
    directories.some((directory) => existsSync(join(directory, name))),
  );
  if (compiler === undefined)
    fail('clang++ is not installed; Debian has it in clang-14 and libclang-rt-14-dev');
  run('cmake', [
    ...['-S', '.', '-B', 'build/fuzz', `-DCMAKE_CXX_COMPILER=${compiler}`, '-DREPRISE_FUZZERS=ON'],
    ...['-DREPRISE_SANITIZE=address,undefined', '-DCMAKE_BUILD_TYPE=None'],
    '-DCMAKE_CXX_FLAGS=-O1 -g1', // quicker to build, and the fuzzer finds its way more easily
  ]);
  run('cmake', ['--build', 'build/fuzz', '--parallel', '2', '--target', ...TARGETS.map(program)]);
}

function fuzz(name, seconds) {
  run(binary(name), [
    ...[`-max_total_time=${seconds}`, '-rss_limit_mb=2048', '-timeout=20', '-print_final_stats=1'],
    ...[`-artifact_prefix=build/fuzz/${name}-`, '-verbosity=1', found(name), ...corpora(name)],
  ]);
}

/** The fewest inputs that reach what all do. */
function minimise(name) {
  const fewest = join('build', 'fuzz', `${name}-fewest`);
  rmSync(join(root, fewest), { recursive: true, force: true });
  mkdirSync(join(root, fewest));
  run(binary(name), ['-merge=1', fewest, ...corpora(name), found(name)]);
  rmSync(join(root, corpus(name)), { recursive: true, force: true });
  mkdirSync(join(root, 'native', 'fuzz', 'corpus'), { recursive: true });
  renameSync(join(root, fewest), join(root, corpus(name)));
}

/** Each NAME_fuzzer.cpp is a target NAME. */
function targetsIn(folder) {
  if (!existsSync(folder)) fail(`there is nothing to fuzz in ${folder}`);
  return readdirSync(folder).flatMap((name) => /^(\w+)_fuzzer\.(?:cc|cpp)$/.exec(name)?.[1] ?? []);
}

function program(name) {
  return `fuzz_${name}`;
}

function binary(name) {
  return join(root, 'build', 'fuzz', 'native', 'fuzz', program(name));
}

function corpus(name) {
  return join('native', 'fuzz', 'corpus', name);
}

/** What is kept with the sources, where a target has that. */
function corpora(name) {
  return existsSync(join(root, corpus(name))) ? [corpus(name)] : [];
}

function found(name) {
  const path = join('build', 'fuzz', 'corpus', name);
  mkdirSync(join(root, path), { recursive: true });
  return path;
}

function run(command, args) {
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: 'inherit' });
  if (error) throw error;
  if (status !== 0) process.exit(status ?? 1);
}

function fail(message) {
  process.stderr.write(`fuzz: ${message}\n`);
  process.exit(2);
}
