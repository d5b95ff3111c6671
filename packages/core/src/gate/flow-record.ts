import { z } from 'zod';

/**
 * What a guest did on its network, one record a conversation. The same shape for what a session did and for
 * what a replay tried. Sizes are bounded here, because a guest decides how much there is to note.
 */

export const flowLimits = {
  /** Conversations that are listed one by one; more are only counted. */
  flows: 2048,
  /** Bursts of one conversation; what follows is added to the last one. */
  bursts: 32,
} as const;

const count = z.int().min(0);
const name = z.string().max(253);

/** Bytes that went out together: after a pause, or with a request of its own. */
const burst = z.strictObject({
  /** Milliseconds of the session, or of the replay. */
  atMs: z.number().min(0),
  bytes: count,
  /** Of an HTTP request that could be read. */
  method: z.string().max(16).optional(),
});

export const flowRecord = z.strictObject({
  protocol: z.enum(['tcp', 'udp', 'icmp', 'other']),
  address: z.string().max(64),
  port: z.int().min(0).max(65535),
  /** What the address was called: by the client (Host, TLS server name), else by the DNS answer before it. */
  name: name.optional(),
  application: z.enum(['http', 'tls', 'smtp', 'dns', 'unknown']).optional(),
  startMs: z.number().min(0),
  endMs: z.number().min(0),
  /** Payload, retransmissions included. */
  bytesOut: count,
  bytesIn: count,
  bursts: z.array(burst).max(flowLimits.bursts),
});
export type FlowRecord = z.infer<typeof flowRecord>;

export const flowLedger = z.strictObject({
  version: z.literal(1),
  flows: z.array(flowRecord).max(flowLimits.flows),
  /** Conversations beyond the limit, and what they sent. */
  unlisted: z.strictObject({ flows: count, bytesOut: count }),
  /** Why conversations may be missing altogether, for a person. */
  gaps: z.array(z.string().max(300)).max(16),
});
export type FlowLedger = z.infer<typeof flowLedger>;

export const emptyLedger: FlowLedger = {
  version: 1,
  flows: [],
  unlisted: { flows: 0, bytesOut: 0 },
  gaps: [],
};
