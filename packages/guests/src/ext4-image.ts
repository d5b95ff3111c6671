import { rm } from 'node:fs/promises';
import { runCommand } from './command.js';

const MAKE_TIMEOUT_MS = 15 * 60_000;

/** Named one by one: the host's mke2fs.conf must not decide what the guest's kernel has to read. */
const FEATURES = [
  'none',
  'has_journal',
  'ext_attr',
  'dir_index',
  'filetype',
  'extent',
  '64bit',
  'flex_bg',
  'sparse_super',
  'large_file',
  'huge_file',
  'dir_nlink',
  'extra_isize',
  'metadata_csum',
].join(',');

export interface Ext4Layout {
  readonly label: string;
  readonly uuid: string;
  readonly sizeBytes: number;
  /** The user who owns `homeDirectory` (relative to the tree); all else belongs to root. */
  readonly home?: { readonly directory: string; readonly uid: number };
}

/**
 * Writes the files below `tree` to a new ext4 file system in the sparse raw image `image`.
 *
 * Inode tables are written now, not by the guest later: an idle guest must not write. fakeroot makes the
 * files root's inside the image only.
 */
export async function makeExt4Image(
  tree: string,
  image: string,
  layout: Ext4Layout,
  signal?: AbortSignal,
): Promise<void> {
  await rm(image, { force: true });
  const mke2fs = [
    'mke2fs',
    ...['-q', '-F', '-t', 'ext4', '-O', FEATURES],
    ...['-b', '4096', '-I', '256', '-i', '16384', '-m', '0'],
    ...['-L', layout.label, '-U', layout.uuid],
    ...[
      '-E',
      `hash_seed=${layout.uuid},lazy_itable_init=0,lazy_journal_init=0,nodiscard,root_owner=0:0`,
    ],
    ...['-d', tree, image, `${layout.sizeBytes / 1024}k`],
  ];
  const home = layout.home ?? { directory: '.', uid: 0 };
  await runCommand(
    'fakeroot',
    [
      'sh',
      '-euc',
      'tree=$1 home=$2 uid=$3; shift 3; chown -R 0:0 "$tree"; chown -R "$uid:$uid" "$tree/$home"; exec "$@"',
      'sh',
      ...[tree, home.directory, String(home.uid)],
      ...mke2fs,
    ],
    {
      signal,
      timeoutMs: MAKE_TIMEOUT_MS,
      // mke2fs lives in sbin, which an ordinary user's PATH may leave out.
      env: { PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin` },
    },
  );
  await digHoles(image, signal);
}

/** Gives blocks of zeros back to the host. */
export async function digHoles(image: string, signal?: AbortSignal): Promise<void> {
  await runCommand('fallocate', ['--dig-holes', image], { signal, timeoutMs: MAKE_TIMEOUT_MS });
}
