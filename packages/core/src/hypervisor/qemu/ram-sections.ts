/**
 * RAM that QEMU keeps out of the RAM file (the display's memory, firmware) stands in a saved device state, in
 * sections of the device `ram`:
 *
 *   01 | id u32 | 03 "ram" | instance u32 = 0 | version u32 = 4 | sizes of the blocks | end | 7e | id u32
 *   02 | id u32 | pages | end | 7e | id u32        any number of times
 *   03 | id u32 | pages | end | 7e | id u32
 *
 * A page is a u64, its address with flags in the low 12 bits; then, but after `CONTINUE`, its block's name
 * (a length u8 first); then a byte that it is filled with, or 4096 bytes. The end is a page with only the flag `END`.
 */

const SECTION = { first: 0x01, part: 0x02, last: 0x03, footer: 0x7e } as const;
const FLAG = { zero: 0x02, sizes: 0x04, page: 0x08, end: 0x10, continue: 0x20 } as const;
const FLAGS = 0xfff;
export const PAGE_BYTES = 4096;
const HEAD_BYTES = 1 + 4;
const FOOTER_BYTES = 1 + 4;
const RECORD_BYTES = 8;
const FIRST_HEAD = Buffer.from('\x03ram\0\0\0\0\0\0\0\x04', 'latin1');
const ZEROS = Buffer.alloc(PAGE_BYTES);
/** What stands before the sections: the machine's name, and which capabilities were on. */
const LONGEST_PREAMBLE = 4096;

export interface RamSections {
  readonly id: number;
  /** Of all blocks, in bytes, by name. */
  readonly sizes: ReadonlyMap<string, number>;
  /** Where the first section ends, which says the sizes. */
  readonly pagesFrom: number;
  /** Of each later section the pages, without their end: `[from, to)`. */
  readonly pages: readonly (readonly [number, number])[];
  /** Where the last section ends, and the devices begin. */
  readonly end: number;
}

/** The section that says the sizes of the blocks. */
export interface FirstSection {
  readonly id: number;
  /** In bytes, by name. */
  readonly sizes: ReadonlyMap<string, number>;
  readonly end: number;
}

/** Undefined where there is none. */
export function firstSectionOf(state: Buffer): FirstSection | undefined {
  const head = state.subarray(0, LONGEST_PREAMBLE).indexOf(FIRST_HEAD);
  if (head < HEAD_BYTES || state[head - HEAD_BYTES] !== SECTION.first) return undefined;
  const id = state.readUInt32BE(head - 4);
  const sizes = new Map<string, number>();
  const end = endOfRecords(state, head + FIRST_HEAD.length, (at) => afterSizes(state, at, sizes));
  if (end === undefined || !isFooter(state, end + RECORD_BYTES, id)) return undefined;
  return { id, sizes, end: end + RECORD_BYTES + FOOTER_BYTES };
}

/** The sections of RAM in a device state; undefined where it has another layout. */
export function ramSections(state: Buffer): RamSections | undefined {
  const first = firstSectionOf(state);
  if (first === undefined) return undefined;
  const { id, sizes, end: pagesFrom } = first;
  const pages: [number, number][] = [];
  for (let at = pagesFrom; ;) {
    if (at + HEAD_BYTES > state.length || state.readUInt32BE(at + 1) !== id) return undefined;
    const kind = state[at];
    if (kind !== SECTION.part && kind !== SECTION.last) return undefined;
    const from = at + HEAD_BYTES;
    const to = endOfRecords(state, from, (page) => pageAt(state, page)?.end);
    if (to === undefined || !isFooter(state, to + RECORD_BYTES, id)) return undefined;
    pages.push([from, to]);
    at = to + RECORD_BYTES + FOOTER_BYTES;
    if (kind === SECTION.last) return { id, sizes, pagesFrom, pages, end: at };
  }
}

/**
 * How many sections QEMU divides the pages into depends on how long it had to wait for a CPU. All pages in one
 * section, and then the last one without any, say the same. A state of another layout is returned as it is.
 */
export function withPagesInOneSection(state: Buffer): Buffer {
  const sections = ramSections(state);
  if (sections === undefined) return state;
  const { id, pagesFrom, pages, end } = sections;
  const all = pages.map(([from, to]) => state.subarray(from, to));
  return Buffer.concat([
    state.subarray(0, pagesFrom),
    ...inOneSection(id, all),
    state.subarray(end),
  ]);
}

/** All records in one section, and then the last one without any. */
export function inOneSection(id: number, records: readonly Buffer[]): Buffer[] {
  const section = (kind: number, content: readonly Buffer[]): Buffer[] => {
    const head = Buffer.alloc(HEAD_BYTES);
    head.writeUInt8(kind);
    head.writeUInt32BE(id, 1);
    const tail = Buffer.alloc(RECORD_BYTES + FOOTER_BYTES);
    tail.writeBigUInt64BE(BigInt(FLAG.end));
    tail.writeUInt8(SECTION.footer, RECORD_BYTES);
    tail.writeUInt32BE(id, RECORD_BYTES + 1);
    return [head, ...content, tail];
  };
  return [...section(SECTION.part, records), ...section(SECTION.last, [])];
}

/** A page as QEMU writes it: with its block's name where the block begins, as one byte where it is all zeros. */
export function pageRecord(block: string | undefined, address: number, page: Buffer): Buffer {
  const isZero = page.equals(ZEROS);
  const flags = (block === undefined ? FLAG.continue : 0) | (isZero ? FLAG.zero : FLAG.page);
  const head = Buffer.alloc(RECORD_BYTES);
  head.writeBigUInt64BE(BigInt(address) | BigInt(flags));
  const name =
    block === undefined ? [] : [Buffer.from([block.length]), Buffer.from(block, 'latin1')];
  return Buffer.concat([head, ...name, isZero ? Buffer.of(0) : page]);
}

export interface PageRecord {
  /** Where the block begins. */
  readonly block: string | undefined;
  /** In its block. */
  readonly address: number;
  /** Of its content in the state: 4096 bytes, or the byte that it is filled with. */
  readonly offset: number;
  readonly filled: boolean;
  /** Where the next record stands. */
  readonly end: number;
}

/** The pages of all sections, in order. */
export function* pagesIn(state: Buffer, { pages }: RamSections): Generator<PageRecord> {
  for (const [from, to] of pages) {
    for (let at = from; at < to;) {
      const page = pageAt(state, at);
      if (page === undefined) return; // ramSections has come this way
      yield page;
      at = page.end;
    }
  }
}

function isFooter(state: Buffer, at: number, id: number): boolean {
  return (
    at + FOOTER_BYTES <= state.length &&
    state[at] === SECTION.footer &&
    state.readUInt32BE(at + 1) === id
  );
}

/** Where the record stands that ends what begins at `at`; `after` says where the one behind a record stands. */
function endOfRecords(
  state: Buffer,
  at: number,
  after: (at: number) => number | undefined,
): number | undefined {
  while (at + RECORD_BYTES <= state.length) {
    if (flagsAt(state, at) === FLAG.end) return at;
    const next = after(at);
    if (next === undefined) return undefined;
    at = next;
  }
  return undefined;
}

function flagsAt(state: Buffer, at: number): number {
  return state.readUInt32BE(at + 4) & FLAGS;
}

/** The record of a page; undefined where there is another. */
function pageAt(state: Buffer, at: number): PageRecord | undefined {
  const flags = flagsAt(state, at);
  const content = flags & ~FLAG.continue;
  if (content !== FLAG.page && content !== FLAG.zero) return undefined;
  const filled = content === FLAG.zero;
  const named = flags === content;
  const nameAt = at + RECORD_BYTES + 1;
  const offset = named ? nameAt + (state[nameAt - 1] ?? 0) : at + RECORD_BYTES;
  return {
    block: named ? state.toString('latin1', nameAt, offset) : undefined,
    address: Number(state.readBigUInt64BE(at) - BigInt(flags)),
    ...{ offset, filled, end: offset + (filled ? 1 : PAGE_BYTES) },
  };
}

/** For each block its name, its size and, as RAM files are left out, its address. */
function afterSizes(state: Buffer, at: number, sizes: Map<string, number>): number | undefined {
  const flags = flagsAt(state, at);
  if (flags !== FLAG.sizes) return undefined;
  let left = state.readBigUInt64BE(at) - BigInt(flags);
  at += RECORD_BYTES;
  while (left > 0n) {
    const sizeAt = at + 1 + (state[at] ?? 0);
    if (sizeAt + 16 > state.length) return undefined;
    const size = state.readBigUInt64BE(sizeAt);
    sizes.set(state.toString('latin1', at + 1, sizeAt), Number(size));
    left -= size;
    at = sizeAt + 16;
  }
  return left === 0n ? at : undefined;
}
