import { effectsOf, markedEvents, rulesOf, withhold, type EffectPolicy } from '../gate/index.js';
import { estimateReplayMs, readInputLog, type InputLog, type TimedInput } from '../input/index.js';
import type { Snapshot, SnapshotStore } from '../snapshot/index.js';

/** The input of all sessions between a base and a snapshot, or why it cannot be replayed. */
export type SessionInput =
  | {
      /** As it is to be replayed. */
      readonly log: InputLog;
      /** The same, each session apart, oldest first. */
      readonly logs: readonly InputLog[];
      readonly sessions: number;
      /** What the policy did to it; undefined where no session had a network. */
      readonly effects?: WithheldEffects;
    }
  | { readonly because: string };

/** What the sessions did in the world, and what of it a replay is kept from living through again. */
export interface WithheldEffects {
  readonly policy: EffectPolicy;
  /** Effects in the sessions. */
  readonly found: number;
  /** Input events that led to them. */
  readonly marked: number;
  /** Input events that the policy took out. */
  readonly withheld: number;
}

/**
 * Reads and joins the input logs of `sessions` (oldest first). One that was not recorded in full makes
 * replay pointless from there on, so the whole is refused, with the reason.
 */
export async function readSessionInput(
  store: SnapshotStore,
  name: string,
  sessions: readonly Snapshot[],
  policy: EffectPolicy = 'block',
): Promise<SessionInput> {
  const secret = await store.deriveKey(name, 'input-log');
  const rules = await rulesOf(store);
  const logs: InputLog[] = [];
  let effects: WithheldEffects | undefined;
  for (const snapshot of sessions) {
    if ((snapshot.manifest.session?.base ?? null) === null) {
      return { because: 'a session began with a power-on, which cannot be replayed' };
    }
    let log;
    try {
      log = await readInputLog(snapshot.paths.inputLog, secret);
    } catch {
      return { because: 'the input log of a session is not there any more, or cannot be read' };
    }
    if (!log.complete) return { because: 'the recording of a session broke off' };
    const sent = await effectsOf(store, name, snapshot, log, rules);
    if (sent === undefined) {
      logs.push(log);
      continue;
    }
    if (policy !== 'block' && !sent.complete) {
      return {
        because: `not all that a session sent was noted, so its effects cannot be told apart; --effects block replays everything`,
      };
    }
    const marked = markedEvents(sent.effects);
    const kept = withhold(log, marked, policy);
    logs.push(kept);
    effects = {
      policy,
      found: (effects?.found ?? 0) + sent.effects.length,
      marked: (effects?.marked ?? 0) + marked.size,
      withheld: (effects?.withheld ?? 0) + Math.max(0, log.events.length - kept.events.length),
    };
    if (policy === 'stop' && marked.size > 0) break;
  }
  const [first] = logs;
  if (first === undefined) return { because: 'nothing was recorded since the common base' };
  const log = logs.length === 1 ? first : joinLogs(logs);
  if (effects !== undefined && effects.withheld > 0 && log.events.length === 0) {
    return {
      because: 'the first input of the session had an effect, and --effects stop ends there',
    };
  }
  return { log, logs, sessions: logs.length, ...(effects === undefined ? {} : { effects }) };
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

/** How long a session takes to replay where its guest is idle most of the time, in seconds: for the plan. */
export function replaySeconds(log: InputLog): number {
  return estimateReplayMs(log) / 1000;
}
