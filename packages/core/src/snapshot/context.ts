import type { Lease } from '../lease/index.js';
import type { StoreLayout } from './layout.js';
import type { DigestTree, DiskLayers } from './ports.js';

/** What every part of the embedded store works with. */
export interface StoreContext {
  readonly layout: StoreLayout;
  readonly hostId: string;
  readonly lease: Lease;
  /** The lease of a VM that is being put together in this directory: it appears with the VM, or not at all. */
  readonly leaseIn: (directory: string) => Lease;
  readonly tree: DigestTree;
  readonly disks: DiskLayers;
}
