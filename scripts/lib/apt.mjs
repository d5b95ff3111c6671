// Installs Debian packages, or says which command does.
import { existsSync, readdirSync } from 'node:fs';
import { fail, run, say } from './process.mjs';

const LISTS = '/var/lib/apt/lists';
const OPTIONS = ['-qq', '-o', 'DPkg::Lock::Timeout=300'];

/** Exit status when root is needed and not there. */
export const NEEDS_ROOT = 3;

/** @param {{ package: string, why: string }[]} missing */
export async function installPackages(missing) {
  if (missing.length === 0) return;
  for (const need of missing) say(`missing: ${need.package} (${need.why})`);
  const names = missing.map((need) => need.package);
  if (!existsSync('/usr/bin/apt-get')) {
    fail(
      `install what these Debian packages hold, then run this again: ${names.join(' ')}`,
      NEEDS_ROOT,
    );
  }
  const prefix = await rootPrefix();
  if (prefix === undefined) {
    fail(
      `root is needed once. Run as root: apt-get update && apt-get install --no-install-recommends ${names.join(' ')}`,
      NEEDS_ROOT,
    );
  }
  say(`installing with apt-get: ${names.join(' ')}`);
  if (!hasPackageLists()) await aptGet(prefix, ['update']);
  const install = ['install', '--yes', '--no-install-recommends', ...names];
  if ((await aptGet(prefix, install)) === 0) return;
  say('that failed; trying again with fresh package lists');
  await aptGet(prefix, ['update']);
  if ((await aptGet(prefix, install)) !== 0) {
    fail(
      `apt-get could not install ${names.join(' ')}; correct what it says above and run this again`,
    );
  }
}

/** How to become root without asking: [] as root, sudo where it needs no password, else undefined. */
async function rootPrefix() {
  if (process.getuid() === 0) return [];
  const sudo = await run('sudo', ['-n', 'true'], { show: 'nothing' });
  return sudo.status === 0 ? ['sudo', '-n'] : undefined;
}

async function aptGet(prefix, args) {
  const command = [
    ...prefix,
    'env',
    'DEBIAN_FRONTEND=noninteractive',
    'apt-get',
    ...OPTIONS,
    ...args,
  ];
  const { status } = await run(command[0], command.slice(1), {
    show: 'stderr',
    timeoutMs: 30 * 60_000,
  });
  return status;
}

function hasPackageLists() {
  return existsSync(LISTS) && readdirSync(LISTS).some((name) => name.includes('_Packages'));
}
