// What reprise needs from the system, who provides it on Debian, and why.
import { existsSync, readdirSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';

/**
 * `program` is looked for on the PATH, `file` as a path. `use` says which work needs it:
 * build (native parts), guests (making images), run (virtual machines and links), test, lint.
 */
const REQUIREMENTS = [
  { use: 'build', program: 'g++', package: 'g++', why: 'compiles the driver and the differ' },
  { use: 'build', program: 'make', package: 'make', why: 'runs the native builds' },
  { use: 'build', program: 'cmake', package: 'cmake', why: 'configures the driver' },
  { use: 'build', program: 'python3', package: 'python3', why: 'node-gyp is written in it' },
  { use: 'build', file: '/usr/include/xxhash.h', package: 'libxxhash-dev', why: 'fingerprints' },
  { use: 'build', file: '/usr/include/zstd.h', package: 'libzstd-dev', why: 'deltas' },
  { use: 'build', file: '/usr/include/openssl/evp.h', package: 'libssl-dev', why: 'proofs' },
  {
    use: 'build',
    file: '/usr/include/xengnttab.h',
    package: 'libxen-dev',
    why: 'disks for Xen guests',
  },
  { use: 'build', file: nodeHeader(), package: 'libnode-dev', why: 'native parts of Node' },
  { use: 'guests', program: 'mmdebstrap', package: 'mmdebstrap', why: 'fetches guest packages' },
  {
    use: 'guests',
    file: '/usr/share/keyrings/debian-archive-keyring.gpg',
    package: 'debian-archive-keyring',
    why: 'checks their signatures',
  },
  { use: 'guests', program: 'fakeroot', package: 'fakeroot', why: 'files of root in disk images' },
  { use: 'guests', program: 'xz', package: 'xz-utils', why: 'unpacks a kernel for Xen' },
  { use: 'guests', program: 'mke2fs', package: 'e2fsprogs', why: 'makes disk images' },
  {
    use: 'guests',
    program: 'qemu-system-x86_64',
    package: 'qemu-system-x86',
    why: 'runs virtual machines',
  },
  {
    use: 'run',
    program: 'qemu-system-x86_64',
    package: 'qemu-system-x86',
    why: 'runs virtual machines',
  },
  { use: 'run', program: 'rsync', package: 'rsync', why: 'is what results are compared with' },
  { use: 'run', program: 'zstd', package: 'zstd', why: 'is what results are compared with' },
  { use: 'run', program: 'nbdcopy', package: 'libnbd-bin', why: 'reads disks to compare them' },
  { use: 'run', program: 'ssh', package: 'openssh-client', why: 'links to other hosts' },
  { use: 'run', program: 'sshd', package: 'openssh-server', why: 'the other end of a local link' },
  { use: 'test', program: 'ctest', package: 'cmake', why: 'runs the native tests' },
  { use: 'test', program: 'cpio', package: 'cpio', why: 'checks the initrds' },
  { use: 'test', program: 'qemu-io', package: 'qemu-utils', why: 'interop with the driver' },
  { use: 'test', program: 'nbdcopy', package: 'libnbd-bin', why: 'interop with the driver' },
  { use: 'test', program: 'fio', package: 'fio', why: 'load on the driver' },
  { use: 'test', program: 'tcpdump', package: 'tcpdump', why: 'sees whether a replay sends' },
  { use: 'test', program: 'nbdsh', package: 'python3-libnbd', why: 'interop with the driver' },
  {
    use: 'test',
    file: '/usr/include/doctest/doctest.h',
    package: 'doctest-dev',
    why: "runs the driver's own tests",
  },
  { use: 'test', program: 'clang++', package: 'clang', why: 'fuzzes the parsers' },
  { use: 'test', file: libFuzzer(), package: 'libclang-rt-dev', why: 'fuzzes the parsers' },
  {
    use: 'bench',
    program: 'nbdkit',
    package: 'nbdkit',
    why: 'is what the driver is compared with',
  },
  {
    use: 'bench',
    program: 'qemu-nbd',
    package: 'qemu-utils',
    why: 'is what the driver is compared with',
  },
  { use: 'bench', program: 'fio', package: 'fio', why: 'load on the driver' },
  {
    use: 'bench',
    program: 'xdelta3',
    package: 'xdelta3',
    why: 'is what results are compared with',
  },
  { use: 'bench', program: 'xz', package: 'xz-utils', why: 'is what results are compared with' },
  { use: 'bench', program: 'b3sum', package: 'b3sum', why: 'is what hashing is compared with' },
  { use: 'lint', program: 'clang-format', package: 'clang-format', why: 'formats C++' },
  { use: 'lint', program: 'clang-tidy', package: 'clang-tidy', why: 'lints C++' },
];

/** The requirements of these uses that are not met, each package once. */
export function missingRequirements(uses) {
  const missing = REQUIREMENTS.filter((need) => uses.includes(need.use) && !isMet(need));
  return missing.filter(
    (need, index) => missing.findIndex((other) => other.package === need.package) === index,
  );
}

function isMet(need) {
  if (need.file !== undefined) return existsSync(need.file);
  return searchPath().some((directory) => existsSync(join(directory, need.program)));
}

/** sbin too: an ordinary user's PATH may leave it out. */
function searchPath() {
  return [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin'];
}

/** Node's headers stand beside it, except in Debian's own package. */
function nodeHeader() {
  return join(dirname(dirname(process.execPath)), 'include', 'node', 'node_api.h');
}

/** libFuzzer lies in a folder of clang's version and of the processor; the folder of all versions where there is none. */
function libFuzzer() {
  const versions = '/usr/lib/clang';
  const libraries = existsSync(versions)
    ? readdirSync(versions).flatMap((version) => {
        const directory = join(versions, version, 'lib', 'linux');
        return existsSync(directory)
          ? readdirSync(directory).map((name) => join(directory, name))
          : [];
      })
    : [];
  return (
    libraries.find((path) => /libclang_rt\.fuzzer-[^/]+\.a$/.test(path)) ?? join(versions, 'fuzzer')
  );
}
