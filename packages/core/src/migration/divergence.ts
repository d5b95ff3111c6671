import type { InputLog, SessionMark } from '../input/index.js';
import type { Content, Divergence } from '../protocol/index.js';
import type { Snapshot } from '../snapshot/index.js';

/**
 * Where a replay in virtual time went another way than its session: between which marks, in what, and what the
 * session had there. Nothing but counts: an input log is a secret.
 */

/** What of two marks may differ, as a person is told it. */
export const markedParts = {
  instructions: 'the instructions that ran',
  diskRequests: 'the number of disk requests',
  disk: 'what the disk was asked',
  framesReceived: 'the network frames received',
  framesSent: 'the network frames sent',
  input: 'the input that it got',
  memory: 'its memory',
} as const;
export type MarkedPart = keyof typeof markedParts;

const parts = Object.keys(markedParts) as MarkedPart[];

export function differingParts(a: SessionMark, b: SessionMark): MarkedPart[] {
  return parts.filter((part) => a[part] !== b[part]);
}

/** The marks that a replay can be held against: up to where frames are missing, and the session's end. */
export function comparableMarks(log: InputLog): SessionMark[] {
  const until = Math.min(log.framesMissingFromMs ?? Infinity, log.end?.atMs ?? Infinity);
  return (log.marks ?? []).filter(({ atMs }) => atMs <= until);
}

/** In what the end of a replay is not the snapshot that it was to come to. */
export function differingEnds(
  state: NonNullable<Content<'replayReport'>['state']>,
  { manifest: { ram, disk, device } }: Snapshot,
): string[] {
  return [
    ...(state.ramRoot === ram.root ? [] : ['memory']),
    ...(state.diskRoot === disk.root ? [] : ['the disk']),
    ...(state.deviceDigest === device.sha256 ? [] : ['the devices']),
  ];
}

/** What the session had in the interval that ends at its mark number `index`; `session` counts from 0. */
export function divergenceAt(
  log: InputLog,
  index: number,
  different: readonly MarkedPart[],
  session: number,
): Divergence {
  const marks = comparableMarks(log);
  const to = marks[index];
  if (to === undefined) throw new Error('the log has no such mark');
  // Memory is looked at in shares all through an interval: what one look missed, the next one a whole interval later sees.
  const late = different.length === 1 && different[0] === 'memory';
  const from = marks[index - (late ? 2 : 1)];
  const fromMs = from?.atMs ?? 0;
  const within = ({ atMs }: { readonly atMs: number }) => atMs >= fromMs && atMs < to.atMs;
  const events = log.events.filter(within).map(({ event }) => event.kind);
  return {
    ...{ session, fromMs, toMs: to.atMs, different: [...different] },
    keys: events.filter((kind) => kind === 'key' || kind === 'extended-key').length,
    pointer: events.filter((kind) => kind === 'pointer').length,
    frames: (log.frames ?? []).filter(within).length,
    diskRequests: to.diskRequests - (from?.diskRequests ?? 0),
  };
}

/** A sentence without its full stop. */
export function describeDivergence(divergence: Divergence): string {
  const { session, fromMs, toMs, different, keys, pointer, frames, diskRequests } = divergence;
  const seconds = (ms: number) => (ms / 1000).toFixed(0);
  const where = session === 0 ? 'the session' : `session ${String(session + 1)}`;
  const had = [
    count(keys, 'key event'),
    count(pointer, 'pointer event'),
    count(frames, 'network frame'),
    count(diskRequests, 'disk request'),
  ];
  const what = different.map((part) => markedParts[part]).join(', ');
  return `the replay went another way between ${seconds(fromMs)} and ${seconds(toMs)} s of ${where}: ${what} ${different.length === 1 ? 'differs' : 'differ'}; the session had ${had.join(', ')} there`;
}

function count(number: number, noun: string): string {
  return `${String(number)} ${noun}${number === 1 ? '' : 's'}`;
}
