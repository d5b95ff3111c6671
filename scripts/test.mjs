#!/usr/bin/env node
// Every test there is: ctest of the native code, jest unit tests, end-to-end tests with real virtual machines.
// The last line is `N passed, N failed`, with `, N skipped` when there are any.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { parseArgs } from 'node:util';
import { fail, isInterrupted, say } from './lib/process.mjs';
import { SANITIZERS, runCtest, runJest, runnersOf } from './lib/test-runners.mjs';
import { packageDirectories } from './lib/workspace.mjs';
import { setup } from './setup.mjs';

const USAGE = `usage: npm test -- [--unit] [--e2e] [--sanitize] [--package NAME] [--long]
  --unit           only ctest and jest's unit tests
  --e2e            only the end-to-end tests, which start virtual machines
  --sanitize       instead: ctest with AddressSanitizer and UBSan, then with ThreadSanitizer
  --package NAME   only this package (core, differ, …); may be given again
  --long           the long runs of tests that have them (REPRISE_LONG=1)`;

const options = readOptions();
const both = options.unit === options.e2e;
const kinds = options.sanitize
  ? ['ctest']
  : [...(both || options.unit ? ['ctest', 'unit'] : []), ...(both || options.e2e ? ['e2e'] : [])];
const plan = planRuns();

await setup({ uses: ['build', 'run', 'guests', 'test'], guests: neededGuests() });

const results = mkdtempSync(join(tmpdir(), 'reprise-test-'));
process.once('exit', () => rmSync(results, { recursive: true, force: true }));

const summaries = [];
for (const { directories, kind, sanitizer } of plan) {
  if (isInterrupted()) break;
  say(
    `testing ${directories.join(', ')} (${kind}${sanitizer === undefined ? '' : `, ${sanitizer}`})`,
  );
  const startedMs = performance.now();
  const o = { directories, kind, results, long: options.long, sanitizer };
  const summary = kind === 'ctest' ? await runCtest(o) : await runJest(o);
  summaries.push({ ...summary, seconds: Math.round((performance.now() - startedMs) / 1000) });
}
report(summaries);

function readOptions() {
  try {
    const { values } = parseArgs({
      options: {
        unit: { type: 'boolean', default: false },
        e2e: { type: 'boolean', default: false },
        sanitize: { type: 'boolean', default: false },
        package: { type: 'string', multiple: true, default: [] },
        long: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
    if (values.help) {
      console.log(USAGE);
      process.exit(0);
    }
    return values;
  } catch (error) {
    return fail(`${error.message}\n${USAGE}`, 2);
  }
}

/**
 * What to run, quick things first, so that a plain mistake is seen before the virtual machines start. Those start in
 * one run for all packages.
 */
function planRuns() {
  const all = packageDirectories();
  const known = all.map((directory) => basename(directory));
  const unknown = options.package.find((name) => !known.includes(name));
  if (unknown !== undefined) {
    fail(`there is no package ${unknown}; use one of ${known.join(', ')}`, 2);
  }
  const chosen = all.filter(
    (directory) => options.package.length === 0 || options.package.includes(basename(directory)),
  );
  return kinds.flatMap((kind) => {
    const having = chosen.filter((directory) => runnersOf(directory).includes(kind));
    if (kind === 'e2e') return having.length === 0 ? [] : [{ directories: having, kind }];
    const builds = options.sanitize ? SANITIZERS : [undefined];
    return having.flatMap((directory) =>
      builds.map((sanitizer) => ({ directories: [directory], kind, sanitizer })),
    );
  });
}

/** The unit tests of the guests build `tiny` themselves; only whole virtual machines need more. */
function neededGuests() {
  if (!plan.some(({ kind }) => kind === 'e2e')) return [];
  return ['tiny', ...(usesXen() ? ['xen-host'] : []), ...(options.long ? ['desktop'] : [])];
}

function usesXen() {
  return plan.some(
    ({ directories, kind }) =>
      kind === 'e2e' && directories.some((path) => basename(path) === 'blkdriver-native'),
  );
}

function report(rows) {
  const width = Math.max(8, ...rows.map((row) => row.name.length));
  const number = (value) => String(value).padStart(9);
  const heads = ['passed', 'failed', 'skipped', 'seconds'];
  console.log(`\n${''.padEnd(width)}${heads.map(number).join('')}`);
  for (const row of rows) {
    const counts = heads.map((head) => number(row[head])).join('');
    console.log(row.name.padEnd(width) + counts + (row.note === undefined ? '' : `   ${row.note}`));
  }
  const sum = (key) => rows.reduce((total, row) => total + row[key], 0);
  const [passed, failed, skipped] = ['passed', 'failed', 'skipped'].map(sum);
  if (passed + failed === 0) console.log('\nno test ran');
  if (failed > 0 || passed === 0) process.exitCode = 1;
  console.log(`\n${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);
}
