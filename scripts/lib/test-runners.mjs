// The runners behind `npm test`. Each gives { name, passed, failed, skipped, note? }; a runner that crashes, is
// stopped, or leaves no result counts as one failure, with the reason in `note`.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { run } from './process.mjs';
import { ROOT } from './workspace.mjs';

const MINUTE_MS = 60_000;

/** Time limits, generous for two shared cores under emulation. */
const LIMITS_MS = { ctest: 15 * MINUTE_MS, unit: 15 * MINUTE_MS, e2e: 60 * MINUTE_MS };
const LONG_FACTOR = 6;

/** Which runners a package has: `ctest`, `unit`, `e2e`. */
export function runnersOf(directory) {
  const path = join(ROOT, directory);
  const found = [];
  const cmake = join(path, 'CMakeLists.txt');
  if (existsSync(cmake) && readFileSync(cmake, 'utf8').includes('enable_testing'))
    found.push('ctest');
  if (existsSync(join(path, 'jest.config.js'))) {
    const tests = testFiles(join(path, 'src'));
    if (tests.some((name) => !name.endsWith('.e2e.test.ts'))) found.push('unit');
    if (tests.some((name) => name.endsWith('.e2e.test.ts'))) found.push('e2e');
  }
  return found;
}

function testFiles(directory) {
  if (!existsSync(directory)) return [];
  return readdirSync(directory, { recursive: true }).filter((name) => name.endsWith('.test.ts'));
}

/** @param {{ directory: string, kind: 'unit' | 'e2e', results: string, long: boolean }} o */
export async function runJest({ directory, kind, results, long }) {
  const name = `${directory} ${kind}`;
  const output = join(results, `${name.replaceAll(/[^a-z0-9]+/g, '-')}.json`);
  const jest = join(ROOT, 'node_modules', 'jest', 'bin', 'jest.js');
  const ended = await run(
    process.execPath,
    [
      '--experimental-vm-modules',
      '--disable-warning=ExperimentalWarning',
      jest,
      '--json',
      `--outputFile=${output}`,
    ],
    {
      cwd: join(ROOT, directory),
      env: {
        REPRISE_E2E: kind === 'e2e' ? '1' : '0',
        REPRISE_LONG: long ? '1' : '0',
      },
      show: 'stderr',
      timeoutMs: limit(kind, long),
    },
  );
  if (!existsSync(output)) return crashed(name, ended);
  const json = JSON.parse(readFileSync(output, 'utf8'));
  return settled(name, ended, {
    passed: json.numPassedTests,
    // A file that does not even load has no tests to count.
    failed: json.numFailedTests + json.numRuntimeErrorTestSuites,
    skipped: json.numPendingTests + json.numTodoTests,
  });
}

/** @param {{ directory: string, results: string, long: boolean }} o */
export async function runCtest({ directory, results, long }) {
  const name = `${directory} ctest`;
  const source = join(ROOT, directory);
  const build = join(source, 'build', 'ctest');
  const output = join(results, `${name.replaceAll(/[^a-z0-9]+/g, '-')}.xml`);
  const jobs = String(Math.min(availableParallelism(), 4));
  const steps = [
    [
      'cmake',
      ['-S', source, '-B', build, '-DREPRISE_TESTS=ON', '-DCMAKE_BUILD_TYPE=RelWithDebInfo'],
    ],
    ['cmake', ['--build', build, '--parallel', jobs]],
    [
      'ctest',
      ['--test-dir', build, '--output-on-failure', '--no-tests=error', '--output-junit', output],
    ],
  ];
  let ended;
  for (const [program, args] of steps) {
    ended = await run(program, args, {
      env: { REPRISE_LONG: long ? '1' : '0' },
      show: 'stderr',
      timeoutMs: limit('ctest', long),
    });
    if (ended.status !== 0) break;
  }
  if (!existsSync(output)) return crashed(name, ended);
  const suite = /<testsuite\b[^>]*>/.exec(readFileSync(output, 'utf8'))?.[0] ?? '';
  const count = (attribute) => Number(new RegExp(`\\b${attribute}="(\\d+)"`).exec(suite)?.[1] ?? 0);
  const failed = count('failures') + count('errors');
  const skipped = count('skipped') + count('disabled');
  return settled(name, ended, { passed: count('tests') - failed - skipped, failed, skipped });
}

const limit = (kind, long) => LIMITS_MS[kind] * (long ? LONG_FACTOR : 1);

/** A runner that reports no failure and yet ends with one has failed all the same. */
function settled(name, ended, counts) {
  if (ended.status !== 0 && counts.failed === 0) {
    return { name, ...counts, failed: 1, note: reason(ended) };
  }
  return { name, ...counts };
}

const crashed = (name, ended) => ({ name, passed: 0, failed: 1, skipped: 0, note: reason(ended) });

const reason = ({ status, timedOut }) =>
  timedOut ? 'stopped at its time limit' : `ended with status ${status}`;
