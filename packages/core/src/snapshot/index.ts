export { resolveHome } from './home.js';
export { openStore, type OpenStoreOptions } from './open-store.js';
export type { DigestTree, DiskLayers, TreeOptions } from './ports.js';
export {
  vmName,
  type Manifest,
  type PeerRecord,
  type SessionSummary,
  type VmRecord,
} from './records.js';
export { digestFile, rootDigest, type RootParts } from './root-digest.js';
export { freeBytes, occupiedBytes } from './space.js';
export { copySparse, type CopyOptions } from './sparse-copy.js';
export * from './store.js';
export { exists } from './vm-files.js';
