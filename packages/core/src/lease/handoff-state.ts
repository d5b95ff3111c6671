import { z } from 'zod';

import { processIdentitySchema } from './process-identity.js';

/** The durable state and the messages of the handoff; docs/formats/handoff.md is their specification. */

const id = z.string().regex(/^[0-9a-f-]{36}$/);
const root = z.string().regex(/^[0-9a-f]{64}$/);
const token = z.int().min(1);

/** How far force-take jumps: beyond any token that the other side may have granted meanwhile. */
export const FORCE_STEP = 2 ** 20;
export const MAX_ANCESTORS = 32;
export const MAX_PROCESSES = 8;

/** A lineage that an operator broke away from. */
export const ancestorSchema = z.strictObject({
  lineage: id,
  /** The host that broke away. */
  host: id,
  at: z.string().max(40),
  reason: z.string().max(200),
});
export type Ancestor = z.infer<typeof ancestorSchema>;

const offerSchema = z.strictObject({ migration: id, root, peer: id });
export type Offer = z.infer<typeof offerSchema>;

const held = {
  lineage: id,
  ancestors: z.array(ancestorSchema).max(MAX_ANCESTORS),
  /** The highest token that this host knows to have been granted; in `holds` its own. */
  token,
};

export const handoffStateSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('absent') }),
  /** Snapshots are here; another host may run the VM. */
  z.strictObject({ kind: z.literal('copy'), ...held }),
  /** This host may run the VM. */
  z.strictObject({
    kind: z.literal('holds'),
    ...held,
    /** The snapshot that came with the token; null: the VM began here. */
    root: root.nullable(),
    /** The processes that run it, the supervisor first. It runs for as long as one of them is alive. */
    running: z.array(processIdentitySchema).min(1).max(MAX_PROCESSES).nullable(),
  }),
  /** Source: a migration is open; it may still be taken back. */
  z.strictObject({ kind: z.literal('offering'), ...held, offer: offerSchema }),
  /** Source, past the commit point: `granted` belongs to the peer. */
  z.strictObject({ kind: z.literal('released'), ...held, offer: offerSchema, granted: token }),
  /** Destination: the state is proven and staged; whether it may run is the source's to say. */
  z.strictObject({ kind: z.literal('prepared'), ...held, offer: offerSchema, granted: token }),
]);
export type HandoffState = z.infer<typeof handoffStateSchema>;
export type HandoffKind = HandoffState['kind'];

export const ABSENT: HandoffState = { kind: 'absent' };

const envelope = { host: id, lineage: id, ancestors: z.array(ancestorSchema).max(MAX_ANCESTORS) };

/** What the two hosts of a handoff say to each other. Hostile input until parsed with this schema. */
export const handoffMessageSchema = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('offer'), ...envelope, migration: id, root, token }),
  z.strictObject({ type: z.literal('prepared'), ...envelope, migration: id, root, token }),
  z.strictObject({ type: z.literal('commit'), ...envelope, migration: id, root, token }),
  z.strictObject({ type: z.literal('owned'), ...envelope, migration: id, token }),
  z.strictObject({ type: z.literal('abort'), ...envelope, migration: id }),
  z.strictObject({ type: z.literal('hello'), ...envelope, holding: z.boolean(), token }),
]);
export type HandoffMessage = z.infer<typeof handoffMessageSchema>;

export const recordTypes = [
  'CREATED',
  'SEEDED',
  'STARTED',
  'STOPPED',
  'OFFERED',
  'ABORTED',
  'PREPARED',
  'RELEASED',
  'OWNED',
  'DONE',
  'FORCED',
  'CONCEDED',
] as const;
export type RecordType = (typeof recordTypes)[number];

/** One line of lease.jsonl: what happened, and the whole state after it. */
export const leaseRecordSchema = z.strictObject({
  version: z.literal(1),
  type: z.enum(recordTypes),
  state: handoffStateSchema,
});
export type LeaseRecord = z.infer<typeof leaseRecordSchema>;
