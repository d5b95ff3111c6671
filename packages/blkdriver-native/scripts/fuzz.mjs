// Builds the libFuzzer targets (clang 14) and runs each for a while:
//   node scripts/fuzz.mjs [seconds, default 30] [target]
// New inputs go to build/fuzz/corpus; a crash is left in build/fuzz/NAME-*.
import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const [seconds = '30', only] = process.argv.slice(2);

function run(program, args) {
  const { status, error } = spawnSync(program, args, { cwd: root, stdio: 'inherit' });
  if (error) throw error;
  if (status !== 0) process.exit(status ?? 1);
}

run('cmake', ['--preset', 'fuzz']);
run('cmake', ['--build', 'build/fuzz', '--parallel', '2']);
for (const name of ['handshake', 'request', 'dirty_log', 'session', 'blkif']) {
  if (only !== undefined && only !== name) continue;
  const found = join('build', 'fuzz', 'corpus', name);
  mkdirSync(join(root, found), { recursive: true });
  run(join(root, 'build', 'fuzz', 'native', 'fuzz', `fuzz_${name}`), [
    ...[`-max_total_time=${seconds}`, '-rss_limit_mb=2048', '-timeout=20', '-print_final_stats=1'],
    ...[`-artifact_prefix=build/fuzz/${name}-`, found, join('native', 'fuzz', 'corpus', name)],
  ]);
}
