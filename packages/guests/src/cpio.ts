/** One member of a cpio archive. Paths are relative, without a leading slash. */
export type CpioEntry =
  | { readonly path: string; readonly type: 'directory'; readonly mode?: number }
  | {
      readonly path: string;
      readonly type: 'file';
      readonly mode?: number;
      readonly data: Uint8Array;
    }
  | { readonly path: string; readonly type: 'symlink'; readonly target: string };

const S_IFDIR = 0o040000;
const S_IFREG = 0o100000;
const S_IFLNK = 0o120000;

/**
 * Writes a "newc" cpio archive, the format of a Linux initramfs (kernel: Documentation/driver-api/early-userspace/buffer-format.rst).
 * Everything belongs to root and is dated zero, so that the same entries give the same bytes.
 */
export function encodeCpio(entries: readonly CpioEntry[]): Buffer {
  const parts: Buffer[] = [];
  entries.forEach((entry, index) => {
    parts.push(member(entry.path, index + 1, ...modeAndData(entry)));
  });
  parts.push(member('TRAILER!!!', 0, 0, new Uint8Array()));
  return Buffer.concat(parts);
}

function modeAndData(entry: CpioEntry): [mode: number, data: Uint8Array] {
  switch (entry.type) {
    case 'directory':
      return [S_IFDIR | (entry.mode ?? 0o755), new Uint8Array()];
    case 'file':
      return [S_IFREG | (entry.mode ?? 0o644), entry.data];
    case 'symlink':
      return [S_IFLNK | 0o777, Buffer.from(entry.target)];
  }
}

/** magic, 13 fields of 8 hexadecimal digits, the name with its NUL, the data; both padded to 4 bytes */
function member(path: string, inode: number, mode: number, data: Uint8Array): Buffer {
  const name = Buffer.from(path + '\0');
  const links = (mode & S_IFDIR) === S_IFDIR ? 2 : 1;
  const fields = [inode, mode, 0, 0, links, 0, data.length, 0, 0, 0, 0, name.length, 0];
  const header = '070701' + fields.map((field) => field.toString(16).padStart(8, '0')).join('');
  return Buffer.concat([
    padded(Buffer.concat([Buffer.from(header, 'latin1'), name])),
    padded(Buffer.from(data)),
  ]);
}

function padded(bytes: Buffer): Buffer {
  return Buffer.concat([bytes, Buffer.alloc((4 - (bytes.length % 4)) % 4)]);
}
