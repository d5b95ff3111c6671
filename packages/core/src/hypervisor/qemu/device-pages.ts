import {
  firstSectionOf,
  inOneSection,
  PAGE_BYTES,
  pageRecord,
  pagesIn,
  ramSections,
} from './ram-sections.js';

/**
 * The pages in a saved device state (display memory, firmware), apart from the rest of it: a migration finds and codes
 * them as it does memory.
 */
export interface DevicePages {
  /** The blocks, as they follow each other: states of one layout have the same page at the same number. */
  readonly layout: string;
  readonly count: number;
  /** Where in the state each page that is not all zeros stands: its number, then its offset; ascending. */
  readonly contents: readonly (readonly [number, number])[];
  /** The state without its pages. */
  readonly rest: Buffer;
}

/** Undefined where the state has another layout than QEMU's, or one that {@link joinDeviceState} would not make. */
export function splitDeviceState(state: Buffer): DevicePages | undefined {
  const sections = ramSections(state);
  if (sections === undefined) return undefined;
  const layout: string[] = [];
  const contents: [number, number][] = [];
  let count = 0;
  /** Where the next page of the block must be, and where the block ends. */
  let [next, end] = [0, 0];
  for (const { block, address, offset, filled } of pagesIn(state, sections)) {
    if (block !== undefined) {
      const bytes = sections.sizes.get(block);
      // Every page of every block, once and in order: nothing else is put together again as it was.
      if (next < end || bytes === undefined || bytes % PAGE_BYTES !== 0) return undefined;
      layout.push(`${block}:${String(bytes)}`);
      [next, end] = [0, bytes];
    }
    if (next === end || address !== next) return undefined;
    if (!filled) contents.push([count, offset]);
    else if (state[offset] !== 0) return undefined;
    count++;
    next += PAGE_BYTES;
  }
  if (next < end) return undefined;
  const rest = Buffer.concat([state.subarray(0, sections.pagesFrom), state.subarray(sections.end)]);
  return { layout: layout.join(' '), count, contents, rest };
}

/**
 * Puts a state together from what {@link splitDeviceState} calls its rest and the pages of its layout, in one
 * section. Throws where the rest is of another layout.
 */
export function joinDeviceState(
  rest: Buffer,
  layout: string,
  pageAt: (number: number) => Buffer,
): Buffer {
  const first = firstSectionOf(rest);
  if (first === undefined) throw new RangeError('This is not the rest of a device state.');
  const records: Buffer[] = [];
  let number = 0;
  for (const block of layout.split(' ').filter((one) => one !== '')) {
    const colon = block.lastIndexOf(':');
    const name = block.slice(0, colon);
    const pages = Number(block.slice(colon + 1)) / PAGE_BYTES;
    for (let i = 0; i < pages; i++) {
      records.push(pageRecord(i === 0 ? name : undefined, i * PAGE_BYTES, pageAt(number++)));
    }
  }
  return Buffer.concat([
    rest.subarray(0, first.end),
    ...inOneSection(first.id, records),
    rest.subarray(first.end),
  ]);
}
