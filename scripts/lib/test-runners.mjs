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

/** A machine has one CPU, and waits a lot. */
const END_TO_END_FILES_AT_ONCE = 2;

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

/**
 * The packages of one run share jest's workers, so that no core waits for the last file of a package.
 * @param {{ directories: readonly string[], kind: 'unit' | 'e2e', results: string, long: boolean }} o
 */
export async function runJest({ directories, kind, results, long }) {
  const name = `${directories.length === 1 ? directories[0] : 'packages'} ${kind}`;
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
      ...(kind === 'e2e' ? [`--maxWorkers=${END_TO_END_FILES_AT_ONCE}`] : []),
      '--projects',
      ...directories,
    ],
    {
      cwd: ROOT,
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

/** What native code is built with for `npm test -- --sanitize`, as compilers name it. */
export const SANITIZERS = ['address,undefined', 'thread'];

/**
 * With `sanitizer`, one of SANITIZERS, everything is built with it, in a folder of its own.
 *
 * @param {{ directories: readonly [string], results: string, long: boolean, sanitizer?: string }} o
 */
export async function runCtest({ directories: [directory], results, long, sanitizer }) {
  const name = `${directory} ctest${sanitizer === undefined ? '' : `, ${sanitizer}`}`;
  const source = join(ROOT, directory);
  const build = join(source, 'build', sanitizer?.replace(',', '-') ?? 'ctest');
  const output = join(results, `${name.replaceAll(/[^a-z0-9]+/g, '-')}.xml`);
  const jobs = String(Math.min(availableParallelism(), 4));
  const steps = [
    [
      'cmake',
      [
        ...['-S', source, '-B', build, '-DREPRISE_TESTS=ON', '-DCMAKE_BUILD_TYPE=RelWithDebInfo'],
        ...(sanitizer === undefined ? [] : [`-DREPRISE_SANITIZE=${sanitizer}`]),
      ],
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
