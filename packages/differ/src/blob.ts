import { fromNative } from './errors.js';
import { native } from './native.js';

/** zstd's range that this package accepts. */
export const MAX_LEVEL = 22;

/**
 * Compresses a blob of up to 1 GiB (device state, an input log) with zstd, at `level` 1 to 22 (default 19).
 * With a `reference` of up to 1 GiB that the other side holds too, what equals it costs next to nothing.
 */
export async function compress(
  data: Uint8Array,
  options: { level?: number; reference?: Uint8Array } = {},
): Promise<Uint8Array> {
  try {
    return await native().compressBlob(data, options.reference, options.level ?? 19);
  } catch (error) {
    throw fromNative(error);
  }
}

/**
 * Undoes {@link compress} with the same reference. The data may come from a hostile peer: never makes
 * more than `maxBytes` (at most 1 GiB). Throws BLOB_CORRUPT, BLOB_TOO_LARGE.
 */
export async function decompress(
  data: Uint8Array,
  options: { reference?: Uint8Array; maxBytes: number },
): Promise<Uint8Array> {
  try {
    return await native().decompressBlob(data, options.reference, options.maxBytes);
  } catch (error) {
    throw fromNative(error);
  }
}
