#!/usr/bin/env node
// Prepares a bare clone: system packages, npm packages, builds and, when asked, guests. Says what it does; quick
// when there is nothing to do. Needs nothing but Node.
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { installPackages } from './lib/apt.mjs';
import { fail, run } from './lib/process.mjs';
import { missingRequirements } from './lib/requirements.mjs';
import { buildPackages, checkNode, installDependencies, ROOT } from './lib/workspace.mjs';

/**
 * @param {{ uses?: string[], guests?: string[] }} [o]
 *   uses: what shall be possible afterwards: build, run, guests, test, bench, lint
 *   guests: names of guests to have in the cache
 */
export async function setup({ uses = ['build', 'run'], guests = [] } = {}) {
  checkNode();
  const all = guests.length > 0 ? [...uses, 'guests'] : uses;
  await installPackages(missingRequirements(all));
  await installDependencies();
  await buildPackages();
  if (guests.length > 0) await buildGuests(guests);
}

async function buildGuests(names) {
  const builder = join(ROOT, 'packages', 'guests', 'bin', 'build-guest.js');
  const { status } = await run(process.execPath, [builder, '--quiet', ...names], {
    timeoutMs: 90 * 60_000,
  });
  if (status !== 0)
    fail('the guests could not be built; correct what is said above and run this again');
}

const USAGE = `usage: npm run setup -- [--guests tiny,desktop] [--all]
  --guests NAMES   also build these guests into the cache (tiny, desktop)
  --all            also install what tests, guests and linters need
Exit status: 3 when system packages are missing and root is not there to install them.`;

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  try {
    const { values } = parseArgs({
      options: {
        guests: { type: 'string' },
        all: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
    if (values.help) {
      console.log(USAGE);
    } else {
      await setup({
        ...(values.all ? { uses: ['build', 'run', 'guests', 'test', 'bench', 'lint'] } : {}),
        guests: values.guests?.split(',').filter((name) => name !== '') ?? [],
      });
      console.error('reprise: ready');
    }
  } catch (error) {
    if (!String(error.code).startsWith('ERR_PARSE_ARGS')) throw error;
    fail(`${error.message}\n${USAGE}`, 2);
  }
}
