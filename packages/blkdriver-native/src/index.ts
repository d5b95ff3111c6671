/**
 * The virtual disk: a read-only base, copy-on-write overlays and an ordered dirty
 * log, served over NBD to any client.
 *
 * @packageDocumentation
 */
export { BLOCK_SIZE } from './block.js';
export type { BlockRuns } from './block.js';
export { DirtyKind, readDirtyLog } from './dirty-log.js';
export type { DirtyBatch, DirtyLogOptions } from './dirty-log.js';
export type { DiskChain } from './disk-chain.js';
export { DiskView } from './disk-view.js';
export { BlkError, BlkErrorCode } from './errors.js';
export type { NbdServer } from './nbd-server.js';
export { createOverlay, mergeOverlays, overlayBlocks, sealOverlayFrom } from './overlay.js';
export type { OverlayOptions } from './overlay.js';
export { XEN_TOOLS, xenDiskFile } from './xen-disk-file.js';
export type { XenDiskFeatures } from './xen-disk-file.js';
export type { ServeXenOptions, XenEnd, XenStatistics, XenVbd } from './xen-vbd.js';
export { VirtualDisk } from './virtual-disk.js';
export type {
  DiskFaults,
  DriverStatistics,
  OpenDiskOptions,
  ServeOptions,
} from './virtual-disk.js';
