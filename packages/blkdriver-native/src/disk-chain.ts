/** What a disk is made of. */
export interface DiskChain {
  /** Raw image file, never written. */
  base: string;
  /** Sealed (closed) overlay directories, oldest first; at most 64. */
  layers: readonly string[];
  /** The writable top overlay directory. */
  overlay: string;
}
