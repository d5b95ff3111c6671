import { z } from 'zod';

import { errorCodes, type ErrorCode } from '../errors.js';
import { attempts } from '../gate/attempts.js';
import { ancestorSchema, handoffMessageSchema } from '../lease/index.js';
import { machineSchema, sha256Hex } from '../machine/index.js';
import { vmName } from '../snapshot/index.js';
import { replayIdentity } from '../virtual-time/identity.js';

/**
 * Every message of the protocol in one table: its number on the wire, who may send it, what its bytes
 * count as, how many there may be, and the shape of its content. Byte layouts: docs/formats/protocol.md.
 */

export const PROTOCOL_VERSION = 10;

export type Side = 'source' | 'destination';

/** What a byte on the link was spent on. The report counts each class in each direction. */
export const byteClasses = ['log', 'digests', 'ram', 'disk', 'device', 'boot', 'control'] as const;
export type ByteClass = (typeof byteClasses)[number];

const KiB = 1024;
const MiB = 1024 * KiB;

const name = vmName;
const count = z.int().min(0);
const reason = z.string().max(2000);

const hello = z.strictObject({
  /** The oldest and the newest protocol version that the sender speaks. */
  versions: z.tuple([z.int(), z.int()]),
  software: z.string().max(64),
  host: z.uuid(),
});

const meet = z.strictObject({
  vm: z.uuid(),
  name,
  machine: machineSchema,
  /** The root of the snapshot that is to travel. */
  target: sha256Hex,
  /** Snapshots that the source holds and the target descends from, newest first. */
  bases: z.array(sha256Hex).max(64),
  /** Whether the VM is to run at the destination once it was handed over. */
  resume: z.boolean(),
  /** What the source's lease says on contact: a handoff that was left in doubt is settled first. */
  handoff: z.array(handoffMessageSchema).max(4),
  /** Bytes that the target occupies on the source, for the destination's space check. */
  occupiedBytes: count,
  /** What the source's guests run on in virtual time; only where the machine's clock is virtual. */
  virtualTime: replayIdentity.optional(),
});

const met = z.strictObject({
  /** The newest of the offered bases that the destination holds, if any. */
  base: sha256Hex.optional(),
  /** Why the destination cannot run this machine; empty when it can. */
  obstacles: z.array(reason).max(16),
  freeBytes: count,
  /** Whether the destination has heard of the VM at all. */
  known: z.boolean(),
  /** The destination's lease, in answer. */
  handoff: z.array(handoffMessageSchema).max(4),
  /** The destination already holds the target itself. */
  complete: z.boolean(),
  /** In answer to the source's: whether sessions replay bit for bit here, and else why not. */
  virtualTime: z.strictObject({ ready: z.boolean(), because: reason.optional() }).optional(),
});

const plan = z.strictObject({
  base: sha256Hex,
  migration: z.uuid(),
  strategy: z.enum(['replay', 'ship']),
  /** Whether the destination is to tell, while it replays, what the replay has written. */
  fronts: z.boolean(),
  /** The pages of the device state are among the memory's, behind it; `device` is what is left of it. */
  devicePages: z.literal(true).optional(),
  /** The input log is that of sessions in virtual time, each apart, to be replayed exactly. */
  exact: z.literal(true).optional(),
});

const replayStop = z.strictObject({
  /** Whether what the replay has produced is still of use; without it the replay ends at once. */
  keep: z.boolean(),
});

const replayProgress = z.strictObject({
  events: count,
  eventsTotal: count,
  sessionMs: count,
  /** Recorded screens that did not appear since the last that did, and how far into the session that one was. */
  missesInARow: count,
  matchedMs: count,
  /** What the guest used of its CPUs, and waited for them, since the replay began; absent where nobody can tell. */
  cpuMs: count.optional(),
  starvedMs: count.optional(),
});

/** A recorded screen that a replay did not see. */
export const missedAnchor = z.strictObject({
  /** The input that waited for it. */
  index: count,
  /** In the recorded session. */
  atMs: z.number().min(0),
  reason: z.string().max(200),
});

/** How many missed screens a report names; the rest is counted. */
export const MAX_MISSED_NAMED = 100;

/** Of a remark, in characters. */
export const MAX_NOTE = 2000;

/** The logs of a migration's sessions, packed and sealed; larger ones do not travel. */
export const MAX_INPUT_LOG_BYTES = 16 * 1024 * 1024 - 1;

/** Where a replay in virtual time was seen to go another way than its session. */
export const divergence = z.strictObject({
  /** Which of the sessions that were replayed, from 0. */
  session: count,
  /** Of that session's time. */
  fromMs: count,
  toMs: count,
  different: z
    .array(
      z.enum([
        'instructions',
        'diskRequests',
        'disk',
        'framesReceived',
        'framesSent',
        'input',
        'memory',
      ]),
    )
    .max(7),
  /** What the session had in that interval. */
  keys: count,
  pointer: count,
  frames: count,
  diskRequests: count,
});
export type Divergence = z.infer<typeof divergence>;

const replayReport = z.strictObject({
  outcome: z.enum(['complete', 'diverged', 'failed', 'aborted']),
  pacing: z.string().max(64),
  reason: reason.optional(),
  events: count,
  anchors: count,
  anchorsMissed: count,
  missed: z.array(missedAnchor).max(MAX_MISSED_NAMED).optional(),
  /** Whether the session's last screen came; absent where the log has none. */
  endSeen: z.boolean().optional(),
  /** What an operator should know besides. */
  notes: z.array(z.string().max(MAX_NOTE)).max(4).optional(),
  /** What the replay tried to reach; absent where the machine has no network. */
  attempts: attempts.optional(),
  seconds: z.number().min(0),
  sessionSeconds: z.number().min(0),
  /** Marks of the log that a replay in virtual time came to, one after the other. */
  marks: count.optional(),
  /** The first that it did not come to. */
  divergence: divergence.optional(),
  /** What a replay in virtual time came to. */
  state: z
    .strictObject({ ramRoot: sha256Hex, diskRoot: sha256Hex, deviceDigest: sha256Hex })
    .optional(),
});

const root = z.strictObject({
  root: sha256Hex,
  ramRoot: sha256Hex,
  diskRoot: sha256Hex,
  deviceDigest: sha256Hex,
  deviceBytes: count,
  createdAt: z.iso.datetime(),
});

const proof = z.strictObject({
  equal: z.boolean(),
  /** Which parts do not prove; empty when equal. */
  broken: z.array(z.enum(['ram', 'disk', 'device'])).max(3),
});

const resumed = z.strictObject({
  running: z.boolean(),
  /** Why the VM does not run although it was to; it is safe and suspended at the destination. */
  reason: reason.optional(),
});

const seed = z.strictObject({
  vm: z.uuid(),
  name,
  machine: machineSchema,
  lineage: z.uuid(),
  ancestors: z.array(ancestorSchema).max(32),
  token: z.int().min(1),
  root: sha256Hex,
  parts: z
    .array(
      z.strictObject({
        part: z.enum(['kernel', 'initrd', 'disk', 'ram', 'device']),
        sizeBytes: count,
        digest: sha256Hex.optional(),
      }),
    )
    .max(8),
  createdAt: z.iso.datetime(),
});

const seedFrom = z.strictObject({
  /** For each part, in the order of `seed`: the byte offset from which the destination wants it. */
  offsets: z.array(count).max(8),
});

const seedDone = z.strictObject({ root: sha256Hex });

const failure = z.strictObject({
  code: z
    .string()
    .refine((code): code is ErrorCode => Object.hasOwn(errorCodes, code))
    .catch('INTERNAL'),
  message: reason,
});

const nothing = z.strictObject({});

interface Spec {
  readonly type: number;
  readonly from: Side | 'both';
  readonly class: ByteClass;
  readonly maxBytes: number;
  /** JSON of this shape, or bytes as they are. */
  readonly content: z.ZodType | 'bytes';
}

const control = (type: number, from: Side | 'both', content: z.ZodType) =>
  ({ type, from, class: 'control', maxBytes: 64 * KiB, content }) as const;
const bytes = (type: number, from: Side, byteClass: ByteClass, maxBytes: number) =>
  ({ type, from, class: byteClass, maxBytes, content: 'bytes' }) as const;

export const messages = {
  hello: { ...control(1, 'both', hello), content: hello },
  keepalive: { ...control(2, 'both', nothing), content: nothing },
  error: { ...control(3, 'both', failure), content: failure },
  bye: { ...control(4, 'source', nothing), content: nothing },

  meet: { ...control(10, 'source', meet), content: meet },
  met: { ...control(11, 'destination', met), content: met },

  plan: { ...control(20, 'source', plan), content: plan },
  inputLog: bytes(21, 'source', 'log', MAX_INPUT_LOG_BYTES),
  replayProgress: { ...control(22, 'destination', replayProgress), content: replayProgress },
  /** The replay is not worth waiting for any more; what it has produced counts. */
  replayStop: { ...control(24, 'source', replayStop), content: replayStop },
  /** Blocks that the replay has written, with digests: the destination's front of the race. */
  replayed: bytes(25, 'destination', 'digests', 1 * MiB),
  replayReport: { ...control(23, 'destination', replayReport), content: replayReport },

  questions: bytes(30, 'source', 'digests', 16 * MiB - 1),
  answers: bytes(31, 'destination', 'digests', 4 * MiB),
  /** Says that the frames that follow belong to a new residue stream. */
  residueStart: { ...control(32, 'source', nothing), content: nothing },
  ramResidue: bytes(33, 'source', 'ram', 1 * MiB),
  diskResidue: bytes(34, 'source', 'disk', 1 * MiB),
  device: bytes(35, 'source', 'device', 16 * MiB - 1),
  /** The replay has come to the target's RAM and disk: the destination takes it as it stands. */
  adopt: { ...control(36, 'source', nothing), content: nothing },

  root: { ...control(40, 'source', root), content: root },
  proof: { ...control(41, 'destination', proof), content: proof },
  leafDigests: bytes(42, 'source', 'digests', 16 * MiB - 1),
  leavesWanted: bytes(43, 'destination', 'digests', 4 * MiB),

  handoff: { ...control(50, 'both', handoffMessageSchema), content: handoffMessageSchema },
  resumed: { ...control(53, 'destination', resumed), content: resumed },

  seed: { ...control(60, 'source', seed), content: seed },
  seedFrom: { ...control(61, 'destination', seedFrom), content: seedFrom },
  seedSecret: bytes(62, 'source', 'control', 64),
  seedBoot: bytes(63, 'source', 'boot', 2 * MiB),
  seedRam: bytes(64, 'source', 'ram', 2 * MiB),
  seedDisk: bytes(65, 'source', 'disk', 2 * MiB),
  seedDevice: bytes(66, 'source', 'device', 2 * MiB),
  seedDone: { ...control(67, 'both', seedDone), content: seedDone },
} as const satisfies Record<string, Spec>;

export type MessageName = keyof typeof messages;

/** What a message of this name carries. */
export type Content<N extends MessageName> = (typeof messages)[N]['content'] extends z.ZodType
  ? z.infer<(typeof messages)[N]['content']>
  : Uint8Array;

/** A message of any of the names N. */
export type Message<N extends MessageName = MessageName> = {
  [K in N]: { readonly name: K; readonly content: Content<K> };
}[N];

export const messageNames = Object.keys(messages) as MessageName[];

const byType = new Map<number, MessageName>(messageNames.map((n) => [messages[n].type, n]));

export function messageOfType(type: number): MessageName | undefined {
  return byType.get(type);
}
