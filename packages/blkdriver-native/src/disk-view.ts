import { checkLength, checkOffset } from './arguments.js';
import { settle, throwIfAborted } from './errors.js';
import { addon } from './native.js';
import type { ViewHandle } from './native.js';

/**
 * Read-only view of a suspended chain. Nothing is served; the layers cannot be
 * opened for writing meanwhile.
 */
export class DiskView implements AsyncDisposable {
  readonly #handle: ViewHandle;
  readonly #files: readonly string[];

  private constructor(
    handle: ViewHandle,
    readonly sizeBytes: bigint,
    files: readonly string[],
  ) {
    this.#handle = handle;
    this.#files = files;
  }

  /**
   * @param chain `base`: the raw image; `layers`: closed or sealed overlay directories, oldest first
   * @throws BlkError `BASE_UNREADABLE`, `OVERLAY_NOT_FOUND`, `OVERLAY_BUSY`, `OVERLAY_NOT_CLOSED`,
   * `CHAIN_SIZE_MISMATCH`, `CHAIN_TOO_LONG`, `ABORTED`
   */
  static async open(
    chain: { base: string; layers: readonly string[] },
    o: { signal?: AbortSignal } = {},
  ): Promise<DiskView> {
    throwIfAborted(o.signal);
    const handle = await settle(addon().openView(chain.base, chain.layers));
    const { sizeBytes, files } = addon().viewFacts(handle);
    const view = new DiskView(handle, sizeBytes, files);
    if (o.signal?.aborted === true) {
      await view.close();
      throwIfAborted(o.signal);
    }
    return view;
  }

  /** @throws BlkError `OUT_OF_RANGE`, `DISK_CLOSED`, `IO_FAILED` */
  async read(offsetBytes: bigint, lengthBytes: number): Promise<Buffer> {
    checkOffset(offsetBytes);
    checkLength(lengthBytes);
    return settle(addon().viewRead(this.#handle, offsetBytes, lengthBytes));
  }

  /**
   * Where every byte of the disk stands: [logicalOffset, length, fileIndex,
   * fileOffset] an extent, ascending; what no extent covers reads as zeros.
   */
  async extents(): Promise<{ files: string[]; extents: BigUint64Array }> {
    const extents = await settle(addon().viewExtents(this.#handle));
    return { files: [...this.#files], extents };
  }

  /** Idempotent. */
  async close(): Promise<void> {
    await settle(addon().viewClose(this.#handle));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
