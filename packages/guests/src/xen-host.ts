import { mkdir, readFile, rename, rm, rmdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { extractVmlinux } from './bzimage.js';
import { kernelRelease } from './debian-packages.js';
import { buildInitrd } from './initrd.js';
import { copyRecipeFiles, writeGuestFile } from './recipe-files.js';
import { recipeFiles, type GuestRecipe } from './recipe.js';

/** Where dom0 has the kernel and the initramfs of the guest it is to start. */
const GUEST_DIRECTORY = 'guest';

/**
 * Xen with a dom0 that holds the toolstack and a paravirtual guest to start with it: to test what only a Xen host
 * can run, under emulation. A shell script takes systemd's place, so that `xl` works a few seconds after boot.
 *
 * The second disk brings a job, the third takes what it leaves: see `recipes/xen-host/root/usr/lib/reprise/init`.
 */
export const xenHost: GuestRecipe = {
  name: 'xen-host',
  revision: 1,
  memoryMiB: 896,
  append: 'console=hvc0 quiet loglevel=4 mitigations=off nokaslr',
  hypervisor: {
    path: 'boot/xen-4.17-amd64.gz',
    append:
      'dom0_mem=576M,max:576M dom0_max_vcpus=1 com1=115200,8n1 console=com1 edid=no loglvl=warning guest_loglvl=warning spec-ctrl=no xpti=0 sched=credit',
  },
  packages: {
    packages: [
      ...['xen-hypervisor-4.17-amd64', 'xen-utils-4.17', 'linux-image-amd64'],
      ...['busybox-static', 'bash', 'coreutils', 'util-linux', 'mount'],
      // libxl runs hotplug scripts with these.
      ...['sed', 'grep', 'gawk', 'iproute2', 'e2fsprogs'],
    ],
    mergedUsr: true,
  },
  modules: [
    ...['virtio_pci', 'virtio_blk', 'crc32c_generic', 'ext4'],
    ...['xen_gntdev', 'xen_gntalloc', 'xen_evtchn', 'xen_privcmd', 'xenfs'],
  ],
  disk: {
    label: 'xen-host',
    uuid: '7e50e1a5-0003-4000-8000-7265707269a1',
    sizeBytes: 1024 * 1024 * 1024,
  },
  files: recipeFiles('xen-host'),
  async layOutDisk({ packages, tree }) {
    const release = await kernelRelease(packages);
    const vmlinux = await extractVmlinux(
      await readFile(join(packages, 'boot', `vmlinuz-${release}`)),
    );
    const initrd = await buildInitrd(
      packages,
      join(this.files, 'guest'),
      GUEST_MODULES,
      GUEST_PROGRAMS,
    );
    await rmdir(tree);
    await rename(packages, tree);
    for (const path of UNUSED) await rm(join(tree, path), { recursive: true, force: true });
    // Made by maintainer scripts, which are not run.
    await symlink('bash', join(tree, 'usr/bin/sh'));
    await symlink('gawk', join(tree, 'usr/bin/awk'));
    await copyRecipeFiles(join(this.files, 'root'), tree);
    for (const path of ['payload', 'results', GUEST_DIRECTORY]) await mkdir(join(tree, path));
    await writeFile(join(tree, GUEST_DIRECTORY, 'vmlinux'), vmlinux);
    await writeFile(join(tree, GUEST_DIRECTORY, 'initrd'), initrd);
    await writeGuestFile(join(tree, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/bash\n');
    await writeGuestFile(join(tree, 'etc/group'), 'root:x:0:\n');
    await writeGuestFile(join(tree, 'etc/hosts'), '127.0.0.1 localhost\n');
  },
  install: false,
};

const GUEST_MODULES = ['xen_blkfront', 'crc32c_generic', 'ext4'];

/** busybox makes only file systems without a journal, whose writes need no order. */
const GUEST_PROGRAMS = [
  'usr/sbin/mke2fs',
  ...['libext2fs.so.2', 'libcom_err.so.2', 'libblkid.so.1', 'libuuid.so.1', 'libe2p.so.2'],
  ...['libc.so.6', 'ld-linux-x86-64.so.2'],
].map((path) => (path.includes('/') ? path : `usr/lib/x86_64-linux-gnu/${path}`));

/** The initrd has loaded every driver there is a use for; nothing here is read by people. */
const UNUSED = [
  ...['boot', 'usr/lib/modules', 'var/cache/apt', 'var/lib/apt', 'var/lib/dpkg'],
  ...['usr/lib/xen-4.17/boot', 'usr/lib/x86_64-linux-gnu/dri'],
  ...['doc', 'info', 'lintian', 'locale', 'man', 'perl'].map((name) => `usr/share/${name}`),
];
