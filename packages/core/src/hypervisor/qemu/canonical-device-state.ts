import { readFile, rename, writeFile } from 'node:fs/promises';

import type { Machine } from '../../machine/index.js';

import { ramSections, withPagesInOneSection } from './ram-sections.js';

/**
 * Two things in a saved device state are the host's, not the guest's. One is how QEMU divides pages into sections
 * (ram-sections.ts). The other are two readings of the host's own clocks, in QEMU's section `timer`: offsets of
 * the TSC and of the real-time virtual clock. A guest whose time counts instructions never sees either, but
 * no two runs have the same. They are set to zero, so that equal guests have equal device states.
 *
 *   04 | id u32 | 05 "timer" | instance u32 = 0 | version u32 = 2
 *   ticks offset i64 | unused i64 | clock offset i64
 *   05 | 0c "timer/icount" | version u32 = 1 | bias i64 | instructions i64
 *   7e | id u32
 */

const HEAD = Buffer.from('\x05timer\0\0\0\0\0\0\0\x02', 'latin1');
const SUBSECTION = Buffer.from('\x05\x0ctimer/icount\0\0\0\x01', 'latin1');
const SECTION_START = 0x04;
const SECTION_END = 0x7e;

/** From the head on. */
const TICKS_OFFSET_AT = HEAD.length;
const CLOCK_OFFSET_AT = TICKS_OFFSET_AT + 16;
const SUBSECTION_AT = CLOCK_OFFSET_AT + 8;
const END_AT = SUBSECTION_AT + SUBSECTION.length + 16;
/** Before the head: the start byte and the section's id. */
const BEFORE_HEAD = 5;

/** Where in a device state the host's readings stand, 8 bytes each; empty where that is not certain. */
export function hostClockReadings(state: Buffer): number[] {
  const found: number[] = [];
  // Before that stand pages, the guest's to write.
  const from = ramSections(state)?.end ?? 0;
  for (let at = state.indexOf(HEAD, from); at !== -1; at = state.indexOf(HEAD, at + 1)) {
    if (isTimerSection(state, at)) found.push(at);
  }
  // Where two look like it, the guest may have written one of them. Then both stay as they are.
  const [only] = found;
  if (only === undefined || found.length > 1) return [];
  return [only + TICKS_OFFSET_AT, only + CLOCK_OFFSET_AT];
}

/** The same device state, without what is the host's in it. One of another layout is returned as it is. */
export function canonicalDeviceState(saved: Buffer): Buffer {
  const state = Buffer.from(withPagesInOneSection(saved));
  for (const at of hostClockReadings(state)) state.fill(0, at, at + 8);
  return state;
}

/**
 * Rewrites a saved device state, durably and whole or not at all. It stays loadable. Of a guest whose time is the host's
 * only the sections change: its clocks go on from those readings.
 */
export async function canonicalizeDeviceState(
  file: string,
  clock: Machine['clock'],
): Promise<void> {
  const saved = await readFile(file);
  const canonical =
    clock === 'virtual' ? canonicalDeviceState(saved) : withPagesInOneSection(saved);
  if (canonical.equals(saved)) return;
  const partial = `${file}.partial`;
  await writeFile(partial, canonical, { flush: true });
  await rename(partial, file);
}

function isTimerSection(state: Buffer, at: number): boolean {
  if (at < BEFORE_HEAD || at + END_AT + BEFORE_HEAD > state.length) return false;
  const start = at - BEFORE_HEAD;
  const end = at + END_AT;
  return (
    state[start] === SECTION_START &&
    state[end] === SECTION_END &&
    state.readUInt32BE(start + 1) === state.readUInt32BE(end + 1) &&
    state.subarray(at + SUBSECTION_AT).indexOf(SUBSECTION) === 0
  );
}
