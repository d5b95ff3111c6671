import {
  chmod,
  copyFile,
  mkdir,
  readFile,
  rename,
  rm,
  rmdir,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { runCommand } from './command.js';
import { GuestError } from './errors.js';
import { copyRecipeFiles, writeGuestFile } from './recipe-files.js';
import { recipeFiles, type GuestRecipe } from './recipe.js';
import { samplePages } from './sample-pages.js';
import { sampleProject } from './sample-project.js';

const USER_ID = 1000;
const HOME = 'home/user';

/** Lies in the home directory, to be installed with `doas dpkg -i figlet.deb`. */
const CARRIED = 'figlet';

/**
 * A Debian with X at 800×600, openbox, a terminal and a text editor, a C compiler and Xnee, all open to an
 * ordinary user after boot; a browser with pages to read, a paint program, and a package to install. With a network
 * card it has QEMU's user network. A few shell scripts start it in place of systemd, so that nothing runs in the
 * background and an idle guest leaves its disk alone.
 */
export const desktop: GuestRecipe = {
  name: 'desktop',
  revision: 2,
  memoryMiB: 512,
  append: [
    'console=ttyS0',
    'quiet',
    'panic=1',
    'vt.global_cursor_default=0',
    'consoleblank=0',
  ].join(' '),
  packages: {
    packages: [
      '?essential',
      'linux-image-amd64',
      'busybox-static',
      ...['xserver-xorg-core', 'xserver-xorg-input-evdev', 'x11-xserver-utils', 'x11-utils'],
      ...['openbox', 'l3afpad', 'xterm', 'cnee', 'fonts-dejavu-core', 'librsvg2-common'],
      ...['gcc', 'libc6-dev', 'make', 'vim-tiny', 'less', 'procps', 'libglib2.0-bin'],
      ...['netsurf-gtk', 'mtpaint', 'opendoas'],
    ],
    mergedUsr: true,
    carried: [CARRIED],
    database: true,
  },
  modules: [
    ...['virtio_pci', 'virtio_blk', 'crc32c_generic', 'ext4'],
    ...['virtio_balloon', 'virtio_input', 'evdev', 'bochs', 'virtio_net'],
  ],
  disk: {
    label: 'desktop',
    uuid: '7e50e1a5-0002-4000-8000-7265707269a1',
    sizeBytes: 2560 * 1024 * 1024,
    home: { directory: HOME, uid: USER_ID },
  },
  files: recipeFiles('desktop'),
  async layOutDisk({ packages, carried, tree, signal }) {
    await rmdir(tree);
    await rename(packages, tree);
    for (const path of UNUSED) await rm(join(tree, path), { recursive: true, force: true });
    for (const [link, target] of Object.entries(ALTERNATIVES)) {
      await symlink(target, join(tree, 'usr/bin', link));
    }
    await writeAccounts(tree);
    await placeWindows(join(tree, 'etc/xdg/openbox/rc.xml'));
    await copyRecipeFiles(join(this.files, 'root'), tree);
    await packSampleProject(join(tree, HOME, 'mill.tar.gz'), dirname(tree), signal);
    await chmod(join(tree, HOME, 'mill.tar.gz'), 0o644);
    await writePages(join(tree, HOME, 'pages'));
    for (const [name, archive] of carried) {
      await copyFile(archive, join(tree, HOME, `${name}.deb`));
      await chmod(join(tree, HOME, `${name}.deb`), 0o644);
    }
    await chmod(join(tree, 'tmp'), 0o1777);
  },
  install: true,
};

/** Left out of the image: what only apt, a reader of manuals or a 3D program would miss. */
const UNUSED = [
  'boot',
  // The initrd has loaded every driver there is a use for.
  'usr/lib/modules',
  'usr/lib/x86_64-linux-gnu/dri',
  'usr/lib/x86_64-linux-gnu/libLLVM-15.so.1',
  ...['doc', 'info', 'lintian', 'locale', 'man'].map((name) => `usr/share/${name}`),
  'var/lib/apt',
  'var/cache/apt',
];

/** The choices of update-alternatives, which is not run. */
const ALTERNATIVES = {
  awk: 'mawk',
  cc: 'gcc',
  editor: 'vim.tiny',
  pager: 'less',
  vi: 'vim.tiny',
  wget: 'busybox',
  'x-www-browser': 'netsurf-gtk',
  'x-terminal-emulator': 'xterm',
  'x-window-manager': 'openbox',
} as const;

async function writeAccounts(tree: string): Promise<void> {
  const master = join(tree, 'usr/share/base-passwd');
  const users = await readFile(join(master, 'passwd.master'), 'utf8');
  const groups = await readFile(join(master, 'group.master'), 'utf8');
  await writeGuestFile(
    join(tree, 'etc/passwd'),
    `${users}user:*:${USER_ID}:${USER_ID}:user:/${HOME}:/bin/bash\n`,
  );
  await writeGuestFile(join(tree, 'etc/group'), `${groups}user:*:${USER_ID}:\n`);
  const profile = await readFile(join(tree, 'usr/share/base-files/profile'), 'utf8');
  await writeGuestFile(join(tree, 'etc/profile'), profile);
}

/** The editor above, the terminal below, at the same place each time. */
async function placeWindows(rc: string): Promise<void> {
  const rule = (name: string, y: number, height: number): string =>
    `<application class="${name}" type="normal">` +
    `<position force="yes"><x>10</x><y>${y}</y></position>` +
    `<size><width>770</width><height>${height}</height></size></application>\n`;
  const text = await readFile(rc, 'utf8');
  const end = text.lastIndexOf('</applications>');
  if (end < 0) {
    throw new GuestError(
      'GUEST_PACKAGE_INVALID',
      "openbox's rc.xml has no <applications> to add the windows' places to. Adapt the desktop recipe to this version of openbox.",
      { rc },
    );
  }
  await writeGuestFile(
    rc,
    text.slice(0, end) + rule('L3afpad', 4, 270) + rule('XTerm', 306, 260) + text.slice(end),
  );
}

async function writePages(directory: string): Promise<void> {
  await mkdir(directory, { mode: 0o755 });
  for (const [name, content] of samplePages()) {
    await writeFile(join(directory, name), content);
    await chmod(join(directory, name), 0o644);
  }
}

async function packSampleProject(
  archive: string,
  workDirectory: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  const sources = join(workDirectory, 'mill');
  await mkdir(sources);
  for (const [name, content] of sampleProject()) await writeFile(join(sources, name), content);
  await runCommand(
    'tar',
    [
      ...['--sort=name', '--mtime=@1200000000', '--owner=0', '--group=0', '--numeric-owner'],
      ...['--mode=u=rwX,go=rX', '--use-compress-program=gzip -9n'],
      ...['-C', workDirectory, '-cf', archive, 'mill'],
    ],
    { signal, timeoutMs: 60_000 },
  );
  await rm(sources, { recursive: true });
}
