import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { DifferError } from './errors.js';
import type { Image, PageRuns, Space, State } from './image.js';

export interface FingerprintKey {
  readonly algorithm: 'xxh3' | 'sha1';
  readonly key: Uint8Array;
}

/** The tables of a content index: pages by fingerprint, pages by the features of their sketches. */
export type TableKind = 'pages' | 'features';

/** How {@link NativeFrame.pagesByKind} is indexed: OpKind in native/core/residue_format.h. */
export const OP_KINDS = ['end', 'zero', 'base', 'twin', 'answer', 'delta', 'hint'] as const;

/** What this machine can do with some bytes. */
export interface Yardsticks {
  readonly bytes: number;
  readonly memcpySeconds: number;
  /** Of XXH3-128, without a secret of its own. */
  readonly xxh3Seconds: number;
}

export interface NativeFrame {
  readonly bytes: Uint8Array;
  readonly space: Space;
  readonly pages: number;
  readonly pagesByKind: number[];
}

/** The entries of a plan, RAM first, then the disk, each ascending. */
export interface PlanArrays {
  /** Packed locations: page number x 2, plus 1 on the disk. */
  readonly pages: BigUint64Array;
  /** By number in {@link PAGE_CLASSES}. */
  readonly classes: Uint8Array;
  /** Where the base holds it (packed), or the number of the entry that it equals; else all ones. */
  readonly sources: BigUint64Array;
  /** Base pages that an entry resembles (packed), two an entry, all ones for none; may be empty. */
  readonly hints: BigUint64Array;
}

export interface NativeEncoder {
  /** With `level`, from this frame on zstd's; the mixed coding ignores it. */
  next(level?: number): NativeFrame | null;
  close(): void;
}

export interface AppliedPages {
  readonly ram: PageRuns;
  readonly disk: PageRuns;
  readonly ramPagesByKind: number[];
  readonly diskPagesByKind: number[];
}

export interface NativeDecoder {
  apply(frame: Uint8Array): void;
  applied(): AppliedPages;
  finish(): AppliedPages;
  close(): void;
}

export interface EncoderSettings {
  readonly level: number;
  readonly known: Uint8Array;
  readonly order: BigUint64Array;
  readonly applied: Uint8Array;
}

/** The addon. All but the blob functions block: they are called on worker threads. */
/** A message of questions, read: a cut fingerprint each, under `mask`. */
export interface ReadQuestions {
  /** One a question; empty when they are about any place. */
  readonly places: BigUint64Array;
  /** One byte a question that the first round left open; empty in the first. */
  readonly selected: Uint8Array;
  readonly cuts: BigUint64Array;
  readonly mask: bigint;
}

export interface NativeAddon {
  describeFile(path: string): { sizeBytes: bigint; extents: BigUint64Array };
  comparePages(a: Image, b: Image, firstPage: number, pages: number): PageRuns;
  compareRuns(a: Image, b: Image, runs: PageRuns): PageRuns;
  hashLeaves(image: Image, firstLeaf: number, leaves: number): Uint8Array;
  merkleParents(level: Uint8Array): Uint8Array;
  merkleRoot(leaves: Uint8Array): Uint8Array;
  indexPages(key: FingerprintKey, image: Image, space: 0 | 1, first: number, n: number): Uint8Array;
  sketchPages(image: Image, space: 0 | 1, first: number, n: number): Uint8Array;
  indexListed(
    key: FingerprintKey,
    state: State,
    pages: BigUint64Array,
  ): { pages: Uint8Array; features: Uint8Array };
  writeTable(
    key: FingerprintKey,
    path: string,
    kind: TableKind,
    parts: Uint8Array[],
    ramPages: number,
    diskPages: number,
  ): { entries: number; fileBytes: number };
  mergeTables(
    key: FingerprintKey,
    kind: TableKind,
    from: string[],
    to: string,
    ramPages: number,
    diskPages: number,
  ): { entries: number; fileBytes: number };
  classifyPages(
    key: FingerprintKey,
    base: State,
    target: State,
    pageTables: string[],
    pages: BigUint64Array,
  ): { classes: Uint8Array; sources: BigUint64Array; fingerprints: BigUint64Array };
  resolveTwins(
    target: State,
    pages: BigUint64Array,
    classes: Uint8Array,
    sources: BigUint64Array,
    fingerprints: BigUint64Array,
  ): { classes: Uint8Array; sources: BigUint64Array };
  findSimilar(
    key: FingerprintKey,
    base: State,
    target: State,
    featureTables: string[],
    pages: BigUint64Array,
  ): BigUint64Array;
  bytesExamined(): bigint;
  measureYardsticks(image: Image): Yardsticks;
  encodeQuestions(
    key: FingerprintKey,
    places: BigUint64Array,
    selected: Uint8Array,
    fingerprints: BigUint64Array,
    bits: number,
  ): Uint8Array;
  /** `limits`: pages of RAM and of the disk; in the second round also how many questions the first left open. */
  readQuestions(key: FingerprintKey, questions: Uint8Array, limits: BigUint64Array): ReadQuestions;
  /** `[question, location, fingerprint, …]` */
  matchAtPlaces(
    key: FingerprintKey,
    places: BigUint64Array,
    cuts: BigUint64Array,
    mask: bigint,
    replay: State,
  ): BigUint64Array;
  matchAnywhere(
    key: FingerprintKey,
    cuts: BigUint64Array,
    mask: bigint,
    image: Image,
    pages: BigUint64Array,
  ): BigUint64Array;
  sampleFingerprints(key: FingerprintKey, state: State, pages: BigUint64Array): BigUint64Array;
  encodeAnswers(
    known: Uint8Array,
    fingerprints: BigUint64Array,
    sample: BigUint64Array,
  ): Uint8Array;
  decodeAnswers(
    answers: Uint8Array,
    fingerprints: BigUint64Array,
  ): { known: Uint8Array; sample: BigUint64Array };
  encodeChunk(image: Image, firstPage: number, pages: number, level: number): Uint8Array;
  applyChunk(frame: Uint8Array, path: string, sizeBytes: bigint): BigUint64Array;
  compressBlob(
    data: Uint8Array,
    reference: Uint8Array | undefined,
    level: number,
  ): Promise<Uint8Array>;
  decompressBlob(
    data: Uint8Array,
    reference: Uint8Array | undefined,
    maxBytes: number,
  ): Promise<Uint8Array>;
  ResidueEncoder: new (
    base: State,
    target: State,
    plan: PlanArrays,
    settings: EncoderSettings,
  ) => NativeEncoder;
  ResidueDecoder: new (
    base: State,
    replay: State | null,
    answers: BigUint64Array,
    output: { ram: string; disk: string },
    applied: { ram: PageRuns; disk: PageRuns },
  ) => NativeDecoder;
}

function load(): NativeAddon {
  const path = fileURLToPath(new URL('../build/Release/differ.node', import.meta.url));
  try {
    return createRequire(import.meta.url)(path) as NativeAddon;
  } catch (cause) {
    throw new DifferError(
      'NATIVE_MISSING',
      `The differ's native kernels do not load from ${path}. Build them: pnpm run build:native.`,
      { cause },
    );
  }
}

let loaded: NativeAddon | undefined;

/** The addon, loaded at first use: whoever only imports types needs no native build. */
export function native(): NativeAddon {
  loaded ??= load();
  return loaded;
}
