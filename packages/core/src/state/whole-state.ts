import { readFile } from 'node:fs/promises';

import { PAGE_SIZE, pageCount, type Image, type PageRuns, type State } from '@reprise/differ';

import { joinDeviceState, splitDeviceState, type DevicePages } from '../hypervisor/index.js';
import type { Snapshot } from '../snapshot/index.js';

import { stateOf } from './images.js';

/**
 * A state as the differ sees it in a migration: behind the memory stand the pages of the device state (what the display
 * shows, mostly), so that they are found, asked about and coded as memory is. What is left of the device state is some
 * hundred bytes against the base's.
 */
export interface WholeState {
  readonly state: State;
  /** Without the pages behind the memory. */
  readonly plain: State;
  readonly device: {
    readonly bytes: Buffer;
    /** Undefined where the device state is of an unknown layout: then no pages stand behind the memory. */
    readonly pages: DevicePages | undefined;
  };
}

/** The whole state of a snapshot. */
export async function wholeStateOf(snapshot: Snapshot): Promise<WholeState> {
  return withDevice(await stateOf(snapshot), snapshot.paths.device);
}

/** A state with the pages of the device state in a file behind its memory. */
export async function withDevice(state: State, deviceFile: string): Promise<WholeState> {
  const bytes = await readFile(deviceFile);
  const pages = splitDeviceState(bytes);
  const device = { bytes, pages };
  if (pages === undefined) return { state, plain: state, device };
  const ram = extendedBy(state.ram, pages.count, deviceFile, pages.contents);
  return { state: { ram, disk: state.disk }, plain: state, device };
}

/** A state whose memory is as long as that of a whole one, all zeros behind its own. */
export function paddedTo(state: State, { ram }: State): State {
  const missing = pageCount(ram) - pageCount(state.ram);
  if (missing <= 0) return state;
  return { ...state, ram: { ...state.ram, sizeBytes: ram.sizeBytes } };
}

/** The pages behind the memory, as a run; none where the layout is unknown. */
export function pagesBehind({ plain, device }: WholeState): PageRuns {
  if (device.pages === undefined) return new BigUint64Array(0);
  return BigUint64Array.of(BigInt(pageCount(plain.ram)), BigInt(device.pages.count));
}

/**
 * What is left of both device states beside their pages, where that of `target` can be told by its pages to whoever holds
 * that of `base`.
 */
export function restsBesidePages(
  base: WholeState,
  target: WholeState,
): { readonly reference: Buffer; readonly content: Buffer } | undefined {
  const [from, to] = [base.device.pages, target.device.pages];
  if (from === undefined || from.layout !== to?.layout) return undefined;
  const joined = joinDeviceState(to.rest, to.layout, pageReader(target));
  return joined.equals(target.device.bytes)
    ? { reference: from.rest, content: to.rest }
    : undefined;
}

/** The content of a device state's page, by its number among them. */
export function pageReader({ device }: WholeState): (number: number) => Buffer {
  const offsets = new Map(device.pages?.contents);
  return (number) => {
    const offset = offsets.get(number);
    return offset === undefined ? ZEROS : device.bytes.subarray(offset, offset + PAGE_SIZE);
  };
}

/** The runs of pages below `end`. */
export function runsBelow(runs: PageRuns, end: number): PageRuns {
  const below: bigint[] = [];
  for (let i = 0; i + 1 < runs.length; i += 2) {
    const [first, count] = [runs[i] ?? 0n, runs[i + 1] ?? 0n];
    if (first >= BigInt(end)) continue;
    below.push(first, first + count > BigInt(end) ? BigInt(end) - first : count);
  }
  return BigUint64Array.from(below);
}

const ZEROS = Buffer.alloc(PAGE_SIZE);

function extendedBy(
  image: Image,
  pages: number,
  file: string,
  contents: DevicePages['contents'],
): Image {
  // A memory is a whole number of pages.
  const from = image.sizeBytes;
  const size = BigInt(PAGE_SIZE);
  const behind = contents.flatMap(([page, offset]) => [
    from + BigInt(page) * size,
    size,
    BigInt(image.files.length),
    BigInt(offset),
  ]);
  return {
    sizeBytes: from + BigInt(pages) * size,
    files: [...image.files, file],
    extents: BigUint64Array.from([...image.extents, ...behind]),
  };
}
