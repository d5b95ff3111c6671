import { pageCount, type Differ, type PageRuns, type State } from '@reprise/differ';

import { exists, type Snapshot } from '../snapshot/index.js';

import { paddedTo, runsBelow, wholeStateOf, withDevice } from './whole-state.js';

/**
 * What a replay of a session left, as whole as its base: the pages of its device state, where `deviceFile` has one of the
 * base's layout, behind its memory; and which pages of that differ from the base's.
 */
export async function replayedState(
  differ: Differ,
  base: Snapshot,
  left: State,
  deviceFile: string,
): Promise<{ readonly state: State; readonly changedRam: PageRuns }> {
  const from = await wholeStateOf(base);
  const whole = (await exists(deviceFile)) ? await withDevice(left, deviceFile) : undefined;
  if (
    whole?.device.pages !== undefined &&
    whole.device.pages.layout === from.device.pages?.layout
  ) {
    const changedRam = await differ.compare(from.state.ram, whole.state.ram);
    return { state: whole.state, changedRam };
  }
  const state = paddedTo(left, from.state);
  const changedRam = runsBelow(
    await differ.compare(from.state.ram, state.ram),
    pageCount(left.ram),
  );
  return { state, changedRam };
}
