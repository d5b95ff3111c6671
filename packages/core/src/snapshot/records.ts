import { z } from 'zod';

import { sha256Hex } from '../machine/index.js';

/** The JSON records of a store: docs/formats/store.md lists their fields. Read and written through these schemas only. */

export const STORE_VERSION = 1;

export const vmName = z
  .string()
  .regex(/^[a-z0-9][a-z0-9._-]{0,62}$/)
  .refine((name) => !name.includes('.tmp-'), 'looks like a temporary file');
export const layerId = z.string().regex(/^[0-9a-f]{32}$/);
const sizeBytes = z.int().min(0);
const time = z.iso.datetime();

export const storeRecordSchema = z.strictObject({ version: z.int().min(1) });

export const hostRecordSchema = z.strictObject({
  version: z.literal(1),
  hostId: z.uuid(),
  createdAt: time,
});

/** The snapshot that the next session starts from, and the lease under which it became that. */
export const headSchema = z.strictObject({
  root: sha256Hex,
  lineage: z.uuid(),
  token: z.int().min(1),
});
export type Head = z.infer<typeof headSchema>;

export const vmRecordSchema = z.strictObject({
  version: z.literal(1),
  id: z.uuid(),
  name: vmName,
  createdAt: time,
  /** The raw image that a cold boot without a head starts from; null in a copy that was seeded. */
  base: sha256Hex.nullable(),
  head: headSchema.nullable(),
});
export type VmRecord = z.infer<typeof vmRecordSchema>;

export const sessionSummarySchema = z.strictObject({
  startedAt: time,
  /** Guest running time. */
  durationMs: z.int().min(0),
  events: z.int().min(0),
  anchors: z.int().min(0).default(0),
  /** Which snapshot the input log replays on; null: a cold boot, which is not replayed. */
  base: sha256Hex.nullable(),
});
export type SessionSummary = z.infer<typeof sessionSummarySchema>;

export const manifestSchema = z.strictObject({
  version: z.literal(1),
  root: sha256Hex,
  parent: sha256Hex.nullable(),
  createdAt: time,
  machineDigest: sha256Hex,
  ram: z.strictObject({ sizeBytes, root: sha256Hex }),
  disk: z.strictObject({
    sizeBytes,
    root: sha256Hex,
    /** How this host stores it; another host may store the same disk in other layers. */
    base: sha256Hex,
    layers: z.array(layerId).max(64),
  }),
  device: z.strictObject({ sizeBytes, sha256: sha256Hex }),
  session: sessionSummarySchema.nullable(),
  /** Against the parent; null where it was not compared. */
  changed: z.strictObject({ ramPages: z.int().min(0), diskBlocks: z.int().min(0) }).nullable(),
});
export type Manifest = z.infer<typeof manifestSchema>;

export const baseRecordSchema = z.strictObject({
  version: z.literal(1),
  /** Merkle root of the image: the directory's name. */
  id: sha256Hex,
  sizeBytes,
});

export const workingRecordSchema = z.strictObject({
  version: z.literal(1),
  /** The snapshot whose RAM was loaded; null: a cold boot. */
  base: sha256Hex.nullable(),
  /** The snapshot whose disk it stands on; null: the imported base. */
  parent: sha256Hex.nullable(),
  startedAt: time,
  disk: z.strictObject({ base: sha256Hex, layers: z.array(layerId).max(64) }),
});
export type WorkingRecord = z.infer<typeof workingRecordSchema>;

export const peerRecordSchema = z.strictObject({
  hostId: z.uuid(),
  root: sha256Hex,
  at: time,
  /** How the operator calls it. */
  label: z.string().max(255).optional(),
});
export type PeerRecord = z.infer<typeof peerRecordSchema>;

export const peersSchema = z.strictObject({
  version: z.literal(1),
  peers: z.array(peerRecordSchema).max(256),
});

/** The redo record of a commit in progress: what openStore finishes after a crash. */
export const commitRecordSchema = z.strictObject({
  version: z.literal(1),
  root: sha256Hex,
  /** Directory name below the VM: `working`, or `incoming/<root>`. */
  from: z.string().regex(/^(working|incoming\/[0-9a-f]{64})$/),
  /** Where the overlay goes; null: no block changed. */
  layer: layerId.nullable(),
  /** Where a whole disk goes. */
  base: sha256Hex.nullable(),
  /** What the head becomes; null: it stays. */
  head: headSchema.nullable(),
});
export type CommitRecord = z.infer<typeof commitRecordSchema>;
