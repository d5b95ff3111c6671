import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

import { BlkError, BlkErrorCode } from './errors.js';

declare const kind: unique symbol;
/** What JavaScript holds of a C++ object; only the addon can look inside. */
interface Handle<Kind extends string> {
  readonly [kind]: Kind;
}
export type DiskHandle = Handle<'disk'>;
export type ServerHandle = Handle<'server'>;
export type VbdHandle = Handle<'vbd'>;
export type ViewHandle = Handle<'view'>;
export type CursorHandle = Handle<'cursor'>;
export type CancellationHandle = Handle<'cancellation'>;

export interface NativeBatch {
  length: number;
  sequences: BigUint64Array;
  firstBlocks: BigUint64Array;
  blockCounts: Uint32Array;
  kinds: Uint8Array;
}

export interface NativeCursorOptions {
  backward: boolean;
  fromSequence: bigint | undefined;
  toSequence: bigint | undefined;
}

/** The addon's functions: see native/binding. Batches only, and nothing blocks the event loop. */
export interface Addon {
  newCancellation(): CancellationHandle;
  /** What runs under it rejects with `ABORTED`, and has made nothing. */
  cancel(cancellation: CancellationHandle): void;

  createOverlay(dir: string, sizeBytes: bigint, cancellation?: CancellationHandle): Promise<void>;
  sealOverlayFrom(
    dir: string,
    sizeBytes: bigint,
    dataFile: string,
    runs: BigUint64Array,
    cancellation?: CancellationHandle,
  ): Promise<void>;
  mergeOverlays(
    dir: string,
    layers: readonly string[],
    cancellation?: CancellationHandle,
  ): Promise<void>;
  overlayBlocks(
    layers: readonly string[],
    cancellation?: CancellationHandle,
  ): Promise<BigUint64Array>;

  openDisk(
    base: string,
    layers: readonly string[],
    overlay: string,
    options: object,
  ): Promise<DiskHandle>;
  diskSize(disk: DiskHandle): bigint;
  diskRead(disk: DiskHandle, offset: bigint, length: number): Promise<Buffer>;
  diskReadBase(disk: DiskHandle, offset: bigint, length: number): Promise<Buffer>;
  diskReadOverlay(disk: DiskHandle, offset: bigint, length: number): Promise<Buffer | null>;
  diskWrite(disk: DiskHandle, offset: bigint, data: Uint8Array): Promise<void>;
  diskFlush(disk: DiskHandle): Promise<void>;
  diskCutEpoch(disk: DiskHandle): Promise<{ epoch: number; sequence: bigint }>;
  diskStatistics(disk: DiskHandle): unknown;
  diskClose(disk: DiskHandle): Promise<void>;
  diskServe(disk: DiskHandle, options: object): Promise<ServerHandle>;
  serverConnections(server: ServerHandle): number;
  serverClose(server: ServerHandle): Promise<void>;

  diskServeXen(disk: DiskHandle, options: object, ended: () => void): Promise<VbdHandle>;
  vbdReport(vbd: VbdHandle): unknown;
  vbdClose(vbd: VbdHandle, leave: boolean): Promise<void>;

  openView(base: string, layers: readonly string[]): Promise<ViewHandle>;
  viewFacts(view: ViewHandle): { sizeBytes: bigint; files: string[] };
  viewRead(view: ViewHandle, offset: bigint, length: number): Promise<Buffer>;
  viewExtents(view: ViewHandle): Promise<BigUint64Array>;
  viewClose(view: ViewHandle): Promise<void>;

  openLog(dir: string, options: NativeCursorOptions): Promise<CursorHandle>;
  openDiskLog(disk: DiskHandle, options: NativeCursorOptions): Promise<CursorHandle>;
  cursorNext(cursor: CursorHandle, most: number): Promise<NativeBatch | null>;
}

const addonPath = fileURLToPath(new URL('../build/addon/Release/blkdriver.node', import.meta.url));

let loaded: Addon | undefined;

/** Loads the addon at the first use, so that importing the package needs no build. */
export function addon(): Addon {
  if (loaded === undefined) {
    try {
      loaded = createRequire(import.meta.url)(addonPath) as Addon;
    } catch (cause) {
      throw new BlkError(
        BlkErrorCode.addonNotBuilt,
        'The native part of the block driver is not built. Run `pnpm run build:native`.',
        { path: addonPath },
        { cause },
      );
    }
  }
  return loaded;
}
