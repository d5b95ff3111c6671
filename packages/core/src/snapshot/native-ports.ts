import type { Differ } from '@reprise/differ';

import type { DigestTree, DiskLayers } from './ports.js';

/** The differ as a digest tree. Its threads start with the first work, not with the store. */
export function nativeDigestTree(): DigestTree {
  let differ: Promise<Differ> | undefined;
  const started = () =>
    (differ ??= import('@reprise/differ').then((module) => new module.Differ()));
  return {
    fileImage: async (path) => (await import('@reprise/differ')).fileImage(path),
    hashLeaves: async (image, path, options) => (await started()).hashLeaves(image, path, options),
    updateLeaves: async (from, image, changed, to, options) =>
      (await started()).updateLeaves(from, image, changed, to, options),
    compare: async (a, b, options) => (await started()).compare(a, b, options),
    close: async () => {
      const running = differ;
      differ = undefined;
      if (running !== undefined) await (await running).close();
    },
  };
}

/** The block driver's overlays. */
export const nativeDiskLayers: DiskLayers = {
  createOverlay: async (directory, sizeBytes) => {
    const driver = await import('@reprise/blkdriver-native');
    await driver.createOverlay(directory, { sizeBytes });
  },
  mergeOverlays: async (directory, layers, signal) => {
    const driver = await import('@reprise/blkdriver-native');
    await driver.mergeOverlays(directory, layers, signal === undefined ? {} : { signal });
  },
  overlayBlocks: async (layers) => {
    const driver = await import('@reprise/blkdriver-native');
    return driver.overlayBlocks(layers);
  },
  image: async (base, layers) => {
    const driver = await import('@reprise/blkdriver-native');
    await using view = await driver.DiskView.open({ base, layers });
    return { sizeBytes: view.sizeBytes, ...(await view.extents()) };
  },
};
