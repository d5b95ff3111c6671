import { RecordedGaps, readInputLog, type InputLog, type TimedInput } from '../input/index.js';
import type { Snapshot, SnapshotStore } from '../snapshot/index.js';

/** The input of all sessions between a base and a snapshot, or why it cannot be replayed. */
export type SessionInput =
  { readonly log: InputLog; readonly sessions: number } | { readonly because: string };

/**
 * Reads and joins the input logs of `sessions` (oldest first). One that was not recorded in full makes
 * replay pointless from there on, so the whole is refused, with the reason.
 */
export async function readSessionInput(
  store: SnapshotStore,
  name: string,
  sessions: readonly Snapshot[],
): Promise<SessionInput> {
  const secret = await store.deriveKey(name, 'input-log');
  const logs: InputLog[] = [];
  for (const snapshot of sessions) {
    if ((snapshot.manifest.session?.base ?? null) === null) {
      return { because: 'a session began with a power-on, which cannot be replayed' };
    }
    try {
      const log = await readInputLog(snapshot.paths.inputLog, secret);
      if (!log.complete) return { because: 'the recording of a session broke off' };
      logs.push(log);
    } catch {
      return { because: 'the input log of a session is not there any more, or cannot be read' };
    }
  }
  const [first] = logs;
  if (first === undefined) return { because: 'nothing was recorded since the common base' };
  return { log: logs.length === 1 ? first : joinLogs(logs), sessions: logs.length };
}

/** One log of several sessions: the VM was suspended in between, so its time stood still. */
export function joinLogs(logs: readonly InputLog[]): InputLog {
  const [first] = logs;
  const last = logs.at(-1);
  if (first === undefined || last === undefined) throw new Error('no logs to join');
  const events: TimedInput[] = [];
  let sinceMs = 0;
  let cpuMs = 0;
  for (const log of logs) {
    const shiftedCpu = cpuMs;
    for (const input of log.events) {
      const { anchor } = input;
      if (anchor !== undefined) cpuMs = Math.max(cpuMs, shiftedCpu + anchor.cpuMs);
      events.push({
        ...input,
        atMs: sinceMs + input.atMs,
        ...(anchor === undefined
          ? {}
          : { anchor: { ...anchor, cpuMs: shiftedCpu + anchor.cpuMs } }),
      });
    }
    if (log.end?.anchor !== undefined) cpuMs = Math.max(cpuMs, shiftedCpu + log.end.anchor.cpuMs);
    sinceMs += sessionMs(log);
  }
  const end =
    last.end === undefined
      ? {}
      : {
          end: {
            atMs: sinceMs,
            ...(last.end.anchor === undefined ? {} : { anchor: { ...last.end.anchor, cpuMs } }),
          },
        };
  return { header: first.header, events, ...end };
}

/** How long the session was, guest running, in milliseconds. */
export function sessionMs(log: InputLog): number {
  return log.end?.atMs ?? log.events.at(-1)?.atMs ?? 0;
}

/** How long a session takes to replay with think time cut, in seconds: for the plan. */
export function replaySeconds(log: InputLog): number {
  const pacing = new RecordedGaps();
  let previousMs = 0;
  let totalMs = 0;
  for (const { atMs } of [...log.events, ...(log.end === undefined ? [] : [log.end])]) {
    totalMs += Math.min(atMs - previousMs, pacing.thinkTimeCapMs);
    previousMs = atMs;
  }
  return totalMs / 1000;
}
