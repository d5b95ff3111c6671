import { z } from 'zod';

import { attempts, effectPolicies } from '../gate/index.js';
import { byteClasses, divergence, missedAnchor } from '../protocol/index.js';

import { MAX_SAMPLES } from './race-samples.js';

/** What a migration did, kept in the store of both hosts and printed as the closing table. */

const count = z.int().min(0);
const seconds = z.number().min(0);

const byClass = Object.fromEntries(
  byteClasses.map((name) => [name, z.strictObject({ sent: count, received: count })]),
) as Record<(typeof byteClasses)[number], z.ZodObject<{ sent: z.ZodInt; received: z.ZodInt }>>;

export const bytesSchema = z.strictObject({
  total: count,
  sent: count,
  received: count,
  byClass: z.strictObject(byClass),
});

const travelled = z.strictObject({
  zero: count,
  base: count,
  twin: count,
  replay: count,
  delta: count,
});

export const migrationReportSchema = z.strictObject({
  version: z.literal(1),
  migration: z.uuid(),
  vm: z.uuid(),
  name: z.string(),
  side: z.enum(['source', 'destination']),
  peer: z.string(),
  startedAt: z.iso.datetime(),
  base: z.string(),
  target: z.string(),
  strategy: z.enum(['replay', 'ship']),
  reason: z.string(),
  /** Every byte on the link, as this side counted it. */
  bytes: bytesSchema,
  /** How the changed pages travelled. */
  pages: z.strictObject({ ram: travelled, disk: travelled }),
  /** Pages and blocks whose content had to be sent. */
  residue: z.strictObject({ ramPages: count, diskBlocks: count }),
  /** Pages and blocks that went ahead while the destination replayed. */
  shippedAhead: count,
  /** Where both fronts stood meanwhile. */
  race: z
    .array(
      z.strictObject({
        ms: count,
        /** Blocks of the disk's residue: shipped ahead, seen to be replayed, and in all. */
        shipped: count,
        replayed: count,
        blocks: count,
        /** Shipped ahead, memory included. */
        bytes: count,
        /** Share of the session's input that was replayed. */
        done: z.number().min(0).max(1),
      }),
    )
    .max(MAX_SAMPLES)
    .optional(),
  replay: z
    .strictObject({
      outcome: z.string(),
      pacing: z.string(),
      events: count,
      anchors: count,
      anchorsMissed: count,
      seconds,
      sessionSeconds: seconds,
      /** It came to the very state, and was adopted: nothing of the state travelled. */
      exact: z.boolean().optional(),
      reason: z.string().optional(),
      /** In virtual time: marks of the log that the replay came to, and the first that it did not. */
      marks: count.optional(),
      divergence: divergence.optional(),
      /** The screens that did not appear, and why they were given up; the first ones. */
      missed: z.array(missedAnchor).optional(),
      /** Whether the session's last screen came; absent where none was recorded. */
      endSeen: z.boolean().optional(),
    })
    .optional(),
  /** What the sessions did in the world, and what their replay tried, in vain; see docs/side-effects.md. */
  effects: z
    .strictObject({
      policy: z.enum(effectPolicies),
      found: count,
      marked: count,
      withheld: count,
      attempts,
    })
    .optional(),
  /** Pages that were sent again because the first proof failed. */
  repairedPages: count,
  seconds: z.strictObject({
    plan: seconds,
    replay: seconds,
    residue: seconds,
    prove: seconds,
    handoff: seconds,
    total: seconds,
  }),
  /** Whether the VM runs at the destination now. */
  resumed: z.boolean(),
  /** What did not go as planned, for a person. */
  notes: z.array(z.string()),
});
export type MigrationReport = z.infer<typeof migrationReportSchema>;
