import { keyNumber } from '../console/key-number.js';
import {
  type DeviceInput,
  MOST_AXIS,
  TICK_NS,
  type TimedDeviceInput,
  type VirtualMark,
} from '../hypervisor/virtual-clock.js';
import type { InputEvent, InputLog, SessionMark } from '../input/input-event.js';
import { TICK_MS } from '../input/input-event.js';
import { recordsOf } from '../input/log-records.js';

/**
 * Between what a viewer sends and what a device gets. A log of a session in virtual time holds the latter:
 * keys with their numbers, positions of the tablet; a replay then depends on no layout and no screen size.
 */

/** What stands in the log for an event of a viewer; undefined: a guest in virtual time cannot have it. */
export function toRecorded(
  event: InputEvent,
  screen: { readonly width: number; readonly height: number },
): InputEvent | undefined {
  switch (event.kind) {
    case 'extended-key':
      return event.keycode <= 0xff ? event : undefined;
    case 'key': {
      const number = keyNumber(event.keysym);
      if (number === undefined) return undefined;
      const { down, keysym } = event;
      return { kind: 'extended-key', down, keysym, keycode: number };
    }
    case 'pointer': {
      const { x, y, buttons } = event;
      return {
        kind: 'pointer',
        x: toAxis(x, screen.width),
        y: toAxis(y, screen.height),
        buttons,
      };
    }
    case 'resize':
    case 'clipboard':
      return undefined;
  }
}

/** What a recorded event is to the guest's devices; undefined: it reaches none. */
export function toDevice(event: InputEvent): DeviceInput | undefined {
  switch (event.kind) {
    case 'extended-key':
      return { kind: 'key', number: event.keycode, down: event.down };
    case 'pointer':
      return {
        kind: 'pointer',
        x: Math.min(event.x, MOST_AXIS),
        y: Math.min(event.y, MOST_AXIS),
        buttons: event.buttons,
      };
    case 'key':
    case 'resize':
    case 'clipboard':
      return undefined;
  }
}

/** A log's events as the plugin takes them, at the exact times at which they went in. */
export function* deviceInputs(log: InputLog): Generator<TimedDeviceInput> {
  for (const record of recordsOf(log)) {
    if (record.kind === 'frame') {
      const { atMs, bytes } = record.frame;
      yield { atNs: nsOfMs(atMs), input: { kind: 'frame', bytes } };
    } else if (record.kind === 'input') {
      const input = toDevice(record.input.event);
      if (input !== undefined) yield { atNs: nsOfMs(record.input.atMs), input };
    }
  }
}

/** As the log keeps it. */
export function toSessionMark({ atNs, ...rest }: VirtualMark): SessionMark {
  return { atMs: msOfNs(atNs), ...rest };
}

/** Exact: times in a log are whole ticks, and so is what the plugin answers. */
export function msOfNs(ns: number): number {
  return (ns / TICK_NS) * TICK_MS;
}

export function nsOfMs(ms: number): number {
  return Math.round(ms / TICK_MS) * TICK_NS;
}

function toAxis(pixel: number, pixels: number): number {
  const scaled = Math.round((pixel * MOST_AXIS) / Math.max(1, pixels - 1));
  return Math.max(0, Math.min(MOST_AXIS, scaled));
}
