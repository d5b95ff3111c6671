// Builds the fuzz target with clang's libFuzzer, AddressSanitizer and UndefinedBehaviorSanitizer, and
// runs it: node scripts/fuzz.mjs [seconds, default 60]. Findings stay in build/fuzz.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const out = join(root, 'build/fuzz');
const seconds = process.argv[2] ?? '60';
mkdirSync(join(out, 'corpus'), { recursive: true });
const core = join(root, 'native/core');
const sources = readdirSync(core)
  .filter((name) => name.endsWith('.cc'))
  .map((name) => join(core, name));
const run = (program, args) => {
  const { status, error } = spawnSync(program, args, { cwd: out, stdio: 'inherit' });
  if (error !== undefined) console.error(`${program}: ${error.message}. Install clang-14.`);
  if (status !== 0) process.exit(status ?? 1);
};
run('clang++-14', [
  ...[
    '-std=c++20',
    '-g',
    '-O1',
    '-fsanitize=fuzzer,address,undefined',
    '-fno-sanitize-recover=all',
  ],
  ...['-Wall', '-Wextra', '-Wshadow', ...sources, join(root, 'native/fuzz/fuzz_residue.cc')],
  ...['-lxxhash', '-lzstd', '-lcrypto', '-o', 'fuzz_residue'],
]);
run('./fuzz_residue', [
  'corpus',
  `-max_total_time=${seconds}`,
  '-rss_limit_mb=3000',
  '-timeout=30',
]);
