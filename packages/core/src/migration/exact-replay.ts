import { packInputLog, unpackInputLog, type InputLog } from '../input/index.js';
import { describeError, RepriseError } from '../errors.js';
import type { Machine } from '../machine/index.js';
import type { Content } from '../protocol/index.js';
import {
  differenceBetween,
  identifyReplay,
  virtualTimeReadiness,
  type ReplayIdentity,
} from '../virtual-time/index.js';

import type { WithheldEffects } from './session-log.js';

/**
 * Replay in virtual time: whether both hosts can do it, and how the logs of several sessions travel. What is
 * recorded and replayed in virtual time comes out bit for bit; a host that cannot do that does not try.
 */

/** What the source says when they meet; undefined where the machine's time is the host's. */
export async function offerExactReplay(machine: Machine): Promise<ReplayIdentity | undefined> {
  if (machine.clock !== 'virtual') return undefined;
  // Without the means the source could not have run the VM; whoever only passes it on ships.
  return await identifyReplay(machine).catch(() => undefined);
}

/** The destination's answer: whether it replays exactly as the source did, and else why not. */
export async function answerExactReplay(
  there: ReplayIdentity | undefined,
  machine: Machine,
  signal: AbortSignal | undefined,
): Promise<Content<'met'>['virtualTime']> {
  if (there === undefined) return undefined;
  const readiness = await virtualTimeReadiness(signal === undefined ? {} : { signal });
  if (!readiness.ready) return { ready: false, because: readiness.because.slice(0, 1000) };
  let because: string | undefined;
  try {
    because = differenceBetween(await identifyReplay(machine), there);
  } catch (error) {
    because = describeError(error).slice(0, 1000);
  }
  return because === undefined ? { ready: true } : { ready: false, because };
}

/** Why a machine in virtual time cannot be replayed; undefined when it can, and for every other machine. */
export function whyNotExact(
  machine: Machine,
  answer: Content<'met'>['virtualTime'],
  logs: readonly InputLog[],
): string | undefined {
  if (machine.clock !== 'virtual') return undefined;
  if (answer === undefined) return 'this host cannot replay in virtual time';
  if (!answer.ready) {
    return `the destination cannot replay in virtual time: ${answer.because ?? 'it does not say why'}`;
  }
  if (logs.some(({ header }) => header.virtual === undefined)) {
    return 'a session was not recorded in virtual time';
  }
  return undefined;
}

/** Why a replay in virtual time cannot come to the very state, although it is worth trying; undefined: it can. */
export function whyInexact(input: {
  readonly logs: readonly InputLog[];
  readonly effects?: Pick<WithheldEffects, 'policy' | 'withheld'>;
}): string | undefined {
  const { logs, effects } = input;
  if (effects !== undefined && effects.withheld > 0)
    return `--effects ${effects.policy} keeps input from it`;
  if (logs.some((log) => log.framesMissingFromMs !== undefined))
    return 'the input log does not have all the network frames that the guest got';
  return undefined;
}

const BUNDLE_VERSION = 1;
const MAX_SESSIONS = 1024;

/** The logs of several sessions, oldest first: version u8, count u16, then each with its length u32. */
export function packSessions(logs: readonly InputLog[]): Uint8Array {
  const head = Buffer.alloc(3);
  head.writeUInt8(BUNDLE_VERSION, 0);
  head.writeUInt16LE(logs.length, 1);
  const packed = logs.flatMap((log) => {
    const bytes = packInputLog(log);
    const length = Buffer.alloc(4);
    length.writeUInt32LE(bytes.length);
    return [length, bytes];
  });
  return Buffer.concat([head, ...packed]);
}

/** The inverse; bytes may be hostile. Throws INPUT_LOG_UNREADABLE. */
export function unpackSessions(bytes: Uint8Array): InputLog[] {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  if (buffer.length < 3 || buffer[0] !== BUNDLE_VERSION) throw unreadable();
  const count = buffer.readUInt16LE(1);
  if (count === 0 || count > MAX_SESSIONS) throw unreadable();
  const logs: InputLog[] = [];
  let at = 3;
  for (let i = 0; i < count; i++) {
    if (buffer.length < at + 4) throw unreadable();
    const end = at + 4 + buffer.readUInt32LE(at);
    if (end > buffer.length) throw unreadable();
    logs.push(unpackInputLog(buffer.subarray(at + 4, end)));
    at = end;
  }
  if (at !== buffer.length) throw unreadable();
  return logs;
}

function unreadable(): RepriseError {
  return new RepriseError(
    'INPUT_LOG_UNREADABLE',
    'The logs of the sessions do not have the shape of their kind. Make sure that both hosts run the same reprise.',
  );
}
