import { z } from 'zod';

import type { VmStatus } from './control.js';

/** What the process that starts a supervisor and the supervisor say to each other, over Node's IPC. */

export const sessionRequest = z.strictObject({
  home: z.string(),
  name: z.string(),
  /** What to do with a session that ended without a suspend: a crash, or the guest powered off. */
  leftover: z.enum(['refuse', 'discard', 'cold']),
  /** A loopback port for viewers beside the unix socket, with its password. */
  port: z
    .strictObject({ port: z.int().min(0).max(65535), password: z.string().min(1).max(64) })
    .optional(),
});
export type SessionRequest = z.infer<typeof sessionRequest>;

export type SessionReply =
  | { readonly kind: 'progress'; readonly text: string }
  | { readonly kind: 'running'; readonly status: VmStatus }
  | { readonly kind: 'failed'; readonly code: string; readonly message: string };
