import { isEnter } from '../console/keysym.js';
import type { InputLog, TimedInput } from '../input/index.js';

import { judge, type EffectRule } from './effect-rules.js';
import type { FlowLedger, FlowRecord } from './flow-record.js';

/**
 * How long after an input something may be sent that counts as its doing: a person presses Return and a
 * name is looked up, a connection made, a form posted. What comes later (a long job that ends with an
 * upload) or without input (a program that updates itself) is listed, and tied to nothing.
 */
export const CAUSALITY_MS = 5000;
/** Times in an input log are rounded to this. */
const ROUNDING_MS = 10;

/** Something that a session did in the world. */
export interface Effect {
  readonly atMs: number;
  readonly flow: Omit<FlowRecord, 'bursts'>;
  readonly method?: string;
  readonly bytes: number;
  readonly because: string;
  /** The event of the input log that led to it; absent when it came by itself, or late. */
  readonly event?: { readonly index: number; readonly atMs: number };
}

/** The effects among what a session sent, in the order of their time. Pure. */
export function findEffects(
  ledger: FlowLedger,
  log: InputLog,
  rules: readonly EffectRule[],
): Effect[] {
  const causes = presses(log);
  const effects: Effect[] = [];
  for (const { bursts, ...flow } of ledger.flows) {
    for (const burst of bursts) {
      const verdict = judge({ ...flow, bursts }, burst, rules);
      if (!verdict.effect) continue;
      const event = causeOf(burst.atMs, causes);
      effects.push({
        ...{ atMs: burst.atMs, flow, bytes: burst.bytes, because: verdict.because },
        ...(burst.method === undefined ? {} : { method: burst.method }),
        ...(event === undefined ? {} : { event }),
      });
    }
  }
  return effects.sort((a, b) => a.atMs - b.atMs);
}

/** The events that led to an effect. */
export function markedEvents(effects: readonly Effect[]): ReadonlySet<number> {
  return new Set(effects.flatMap(({ event }) => (event === undefined ? [] : [event.index])));
}

interface Press {
  readonly index: number;
  readonly atMs: number;
  /** Return, or a button: what people send things with. */
  readonly decisive: boolean;
}

/** Keys and buttons going down, in the order of their time. */
function presses(log: InputLog): Press[] {
  let buttons = log.header.buttons;
  return log.events.flatMap(({ atMs, event }: TimedInput, index): Press[] => {
    if (event.kind === 'pointer') {
      const pressed = (event.buttons & ~buttons) !== 0;
      buttons = event.buttons;
      return pressed ? [{ index, atMs, decisive: true }] : [];
    }
    if (event.kind !== 'key' && event.kind !== 'extended-key') return [];
    return event.down ? [{ index, atMs, decisive: isEnter(event.keysym) }] : [];
  });
}

/** The last decisive press within the window, else the last press of any kind in it. */
function causeOf(
  atMs: number,
  causes: readonly Press[],
): { index: number; atMs: number } | undefined {
  let any: Press | undefined;
  for (let i = lastBefore(causes, atMs + ROUNDING_MS); i >= 0; i--) {
    const press = causes[i];
    if (press === undefined || press.atMs < atMs - CAUSALITY_MS) break;
    any ??= press;
    if (press.decisive) return { index: press.index, atMs: press.atMs };
  }
  return any === undefined ? undefined : { index: any.index, atMs: any.atMs };
}

/** The position of the last press at or before `atMs`; -1 when there is none. */
function lastBefore(causes: readonly Press[], atMs: number): number {
  let low = 0;
  let high = causes.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((causes[middle]?.atMs ?? Infinity) <= atMs) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}
