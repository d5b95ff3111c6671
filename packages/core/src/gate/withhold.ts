import { HeldKeys, heldKey, releaseOf } from '../console/held-keys.js';
import { isEnter } from '../console/keysym.js';
import type { InputLog, PointerInput, TimedInput } from '../input/index.js';

/**
 * What a replay does with events that had an effect in the session. None of them lets anything out: the gate is
 * closed under each. They decide what the guest is to live through with its network silent.
 */
export const effectPolicies = ['block', 'skip', 'stop'] as const;
export type EffectPolicy = (typeof effectPolicies)[number];

/**
 * The log as it is to be replayed. `block`: as it is. `skip`: without the marked presses and their releases; where
 * one is Return, without the line that it sent: left standing, the next Return would send it after all.
 * `stop`: up to the first marked event, with everything released that is pressed by then. Pure. Whatever is
 * pressed at the end of the result was pressed at the end of `log`.
 */
export function withhold(
  log: InputLog,
  marked: ReadonlySet<number>,
  policy: EffectPolicy,
): InputLog {
  if (policy === 'block' || marked.size === 0) return log;
  return policy === 'skip'
    ? skip(log, withTheirLines(log, marked))
    : stop(log, Math.min(...marked));
}

/** Adds to each marked Return the keys that were pressed since the Return or the button before it. */
function withTheirLines(log: InputLog, marked: ReadonlySet<number>): ReadonlySet<number> {
  const all = new Set(marked);
  let line: number[] = [];
  let buttons = log.header.buttons;
  for (const [index, { event }] of log.events.entries()) {
    if (event.kind === 'pointer') {
      if ((event.buttons & ~buttons) !== 0) line = [];
      buttons = event.buttons;
    } else if ((event.kind === 'key' || event.kind === 'extended-key') && event.down) {
      if (!isEnter(event.keysym)) {
        line.push(index);
        continue;
      }
      if (marked.has(index)) for (const pressed of line) all.add(pressed);
      line = [];
    }
  }
  return all;
}

function skip(log: InputLog, marked: ReadonlySet<number>): InputLog {
  const skippedKeys = new HeldKeys();
  let skippedButtons = 0;
  let buttons = log.header.buttons;
  const events = log.events.flatMap((input, index): TimedInput[] => {
    const { event } = input;
    if (event.kind === 'pointer') {
      if (marked.has(index)) skippedButtons |= event.buttons & ~buttons;
      skippedButtons &= event.buttons;
      buttons = event.buttons;
      return [{ ...input, event: { ...event, buttons: buttons & ~skippedButtons } }];
    }
    if (event.kind === 'key' || event.kind === 'extended-key') {
      if (marked.has(index) && event.down) skippedKeys.apply(event);
      if (!skippedKeys.has(heldKey(event))) return [input];
      if (!event.down) skippedKeys.apply(event);
      return [];
    }
    return marked.has(index) ? [] : [input];
  });
  return { ...withoutMarks(log), events };
}

/** What the guest came to with all of its input is nothing to hold a replay with less against. */
function withoutMarks(log: InputLog): InputLog {
  const { marks, ...rest } = log;
  return marks === undefined ? log : rest;
}

function stop(log: InputLog, first: number): InputLog {
  const events = log.events.slice(0, first);
  const atMs = events.at(-1)?.atMs ?? 0;
  const keys = new HeldKeys(log.header.held);
  let pointer: PointerInput = {
    kind: 'pointer',
    ...(log.header.pointer ?? { x: 0, y: 0 }),
    buttons: log.header.buttons,
  };
  for (const { event } of events) {
    if (event.kind === 'pointer') pointer = event;
    else if (event.kind === 'key' || event.kind === 'extended-key') keys.apply(event);
  }
  const releases: TimedInput[] = keys
    .keys()
    .reverse()
    .map((key) => ({ atMs, event: releaseOf(key) }));
  if (pointer.buttons !== 0) releases.push({ atMs, event: { ...pointer, buttons: 0 } });
  return { header: log.header, events: [...events, ...releases], end: { atMs } };
}
