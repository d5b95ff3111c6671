import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runCommand } from './command.js';
import { GuestError } from './errors.js';

/** The Debian release the guests are made of, whatever the host runs. */
export const DEBIAN_SUITE = 'bookworm';

const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';
const DOWNLOAD_TIMEOUT_MS = 30 * 60_000;

/** Extracted packages. */
export interface ExtractedPackages {
  /** The directory that holds their files; it belongs to the caller. */
  readonly root: string;
  /** `name=version` of each, sorted. */
  readonly versions: readonly string[];
  /** Where the archives of `carried` packages are, by package name. */
  readonly carried: ReadonlyMap<string, string>;
}

export interface PackageSet {
  /** Package names, or apt patterns such as `?essential`. Their dependencies come too, recommendations do not. */
  readonly packages: readonly string[];
  /** /bin, /sbin and /lib as links into /usr, as an installed Debian has them. */
  readonly mergedUsr: boolean;
  /** Downloaded as they are and not extracted, for somebody in the guest to install. */
  readonly carried?: readonly string[];
  /** Leave dpkg's own record of what is installed, so that dpkg works in the guest. */
  readonly database?: boolean;
}

/**
 * Downloads packages and what they depend on, verifies Debian's signatures, and extracts them below
 * `workDirectory`, without root and without running any of their scripts.
 *
 * The packages come from mmdebstrap's own default mirrors, with updates and security updates.
 * `REPRISE_DEBIAN_MIRROR` names another mirror; its `…/debian-security` sibling is used too.
 */
export async function extractPackages(
  set: PackageSet,
  workDirectory: string,
  o: { signal?: AbortSignal | undefined; onProgress: (line: string) => void },
): Promise<ExtractedPackages> {
  const root = join(workDirectory, 'packages');
  const temporary = join(workDirectory, 'tmp');
  await mkdir(temporary, { recursive: true });
  const sources = await writeSources(workDirectory);

  await runCommand(
    'mmdebstrap',
    [
      '--mode=chrootless',
      '--variant=extract',
      '--format=directory',
      '--architectures=amd64',
      // The check protects the host from maintainer scripts, which this variant never runs.
      '--skip=check/chrootless,check/empty',
      ...(await proxyOptions(o.signal)),
      ...(set.mergedUsr ? [`--setup-hook=${MERGE_USR}`] : []),
      `--extract-hook=ls "$1/var/cache/apt/archives" > "$1/../archives"`,
      ...(set.database === true ? [`--extract-hook=${WRITE_DATABASE}`] : []),
      ...(set.carried === undefined
        ? []
        : [`--extract-hook=${downloadTo('carried', set.carried)}`]),
      ...set.packages.map((name) => `--include=${name}`),
      DEBIAN_SUITE,
      root,
      ...sources,
    ],
    {
      env: { TMPDIR: temporary, LC_ALL: 'C.UTF-8', SOURCE_DATE_EPOCH: '0' },
      signal: o.signal,
      timeoutMs: DOWNLOAD_TIMEOUT_MS,
      onLine: (line) => {
        const step = /^I: (running apt-get update|downloading packages|extracting)/.exec(line);
        if (step?.[1] !== undefined) o.onProgress(step[1]);
      },
    },
  );
  const archives = await readFile(join(workDirectory, 'archives'), 'utf8');
  const carried = await archivesIn(join(workDirectory, 'carried'), set.carried ?? []);
  return { root, versions: archives.split('\n').flatMap(packageVersion), carried };
}

async function archivesIn(
  directory: string,
  names: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  if (names.length === 0) return new Map();
  const files = await readdir(directory);
  return new Map(
    names.map((name) => {
      const file = files.find((candidate) => candidate.startsWith(`${name}_`));
      if (file !== undefined) return [name, join(directory, file)];
      throw new GuestError(
        'GUEST_PACKAGE_INVALID',
        `apt downloaded no archive of ${name}. Correct the list of carried packages in the guest's recipe.`,
        { name, files },
      );
    }),
  );
}

/** `name_1%3a2.0_amd64.deb` → `name=1:2.0` */
function packageVersion(archive: string): string[] {
  const parts = /^([^_]+)_([^_]+)_[^_]+\.deb$/.exec(archive);
  return parts === null ? [] : [`${parts[1] ?? ''}=${decodeURIComponent(parts[2] ?? '')}`];
}

/** The release of the one kernel among extracted packages, as `uname -r` says it. */
export async function kernelRelease(root: string): Promise<string> {
  const releases = await readdir(join(root, 'lib', 'modules'));
  const [release] = releases;
  if (release === undefined || releases.length !== 1) {
    throw new GuestError(
      'GUEST_PACKAGE_INVALID',
      `Expected one kernel among the guest's packages and found ${releases.length}. Name exactly one kernel package in its recipe.`,
      { releases },
    );
  }
  return release;
}

const MERGE_USR =
  'for d in bin sbin lib lib64; do mkdir -p "$1/usr/$d" && ln -s "usr/$d" "$1/$d"; done';

/** Asks the same apt, with the same signatures, for archives beside the root. */
function downloadTo(directory: string, names: readonly string[]): string {
  return (
    `mkdir -p "$1/../${directory}" && cd "$1/../${directory}" && ` +
    `APT_CONFIG="$MMDEBSTRAP_APT_CONFIG" apt-get download ${names.join(' ')}`
  );
}

/**
 * What dpkg would have written had it installed the packages itself, whose scripts are not run here: a paragraph
 * and a list of files for each. Without them nothing could be installed whose dependencies are there.
 */
const WRITE_DATABASE = String.raw`set -eu
database="$1/var/lib/dpkg"
mkdir -p "$database/info" "$database/updates" "$database/triggers" "$database/alternatives" "$database/parts"
: > "$database/status"
: > "$database/available"
for archive in "$1"/var/cache/apt/archives/*.deb; do
  dpkg-deb --field "$archive" | sed '/^Package:/a Status: install ok installed' >> "$database/status"
  echo >> "$database/status"
  name=$(dpkg-deb --field "$archive" Package)
  if [ "$(dpkg-deb --field "$archive" Multi-Arch)" = same ]; then name="$name:amd64"; fi
  dpkg-deb --fsys-tarfile "$archive" | tar --list |
    sed 's|^\./|/|; s|/$||; s|^$|/.|' > "$database/info/$name.list"
done`;

/** The argument that names other mirrors than mmdebstrap's own; none by default. */
async function writeSources(workDirectory: string): Promise<string[]> {
  const mirror = process.env['REPRISE_DEBIAN_MIRROR'];
  if (mirror === undefined || mirror === '') return [];
  const path = join(workDirectory, 'sources.list');
  await writeFile(path, sourcesList(mirror));
  return [path];
}

function sourcesList(mirror: string): string {
  const security = mirror.replace(/\/debian\/?$/, '/debian-security');
  const line = (uri: string, suite: string): string =>
    `deb [signed-by=${KEYRING}] ${uri} ${suite} main\n`;
  return (
    line(mirror, DEBIAN_SUITE) +
    line(mirror, `${DEBIAN_SUITE}-updates`) +
    line(security, `${DEBIAN_SUITE}-security`)
  );
}

/** mmdebstrap does not read the host's apt configuration; a proxy set there is needed here too. */
async function proxyOptions(signal: AbortSignal | undefined): Promise<string[]> {
  const dump = await runCommand('apt-config', ['dump', 'Acquire::http::Proxy'], {
    signal,
    timeoutMs: 60_000,
  });
  const proxy = /^Acquire::http::Proxy "([^"]+)";$/m.exec(dump)?.[1];
  return proxy === undefined ? [] : [`--aptopt=Acquire::http::Proxy "${proxy}"`];
}
