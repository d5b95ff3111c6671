import { join } from 'node:path';
import { copyRecipeFiles } from './recipe-files.js';
import { recipeFiles, type GuestRecipe } from './recipe.js';

/**
 * Debian's cloud kernel and static busybox in an initramfs; a shell with vi on the VGA text console, at home
 * on a small disk, and on the network where the machine has one. The cloud kernel has no DRM, so the display stays in
 * text mode.
 */
export const tiny: GuestRecipe = {
  name: 'tiny',
  revision: 1,
  memoryMiB: 96,
  append: [
    'console=ttyS0',
    'quiet',
    // A cursor drawn with attributes (soft cursor, hardware cursor off): VGA's own blinks.
    'vt.cur_default=0x400011',
    'consoleblank=0',
  ].join(' '),
  packages: { packages: ['linux-image-cloud-amd64', 'busybox-static'], mergedUsr: false },
  modules: ['virtio_pci', 'virtio_blk', 'virtio_balloon', 'virtio_net', 'virtio_input', 'evdev'],
  disk: {
    label: 'tiny-home',
    uuid: '7e50e1a5-0001-4000-8000-7265707269a1',
    sizeBytes: 64 * 1024 * 1024,
  },
  files: recipeFiles('tiny'),
  async layOutDisk({ tree }) {
    await copyRecipeFiles(join(this.files, 'home'), tree);
  },
  install: false,
};
