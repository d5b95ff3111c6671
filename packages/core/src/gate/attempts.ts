import { z } from 'zod';

import { flowRecord, type FlowLedger } from './flow-record.js';

/** What a replay tried to reach, with equal attempts together. Small enough to travel in a report. */

export const MAX_ATTEMPTS = 128;

const count = z.int().min(0);

export const attempt = flowRecord
  .pick({ protocol: true, address: true, port: true, name: true, application: true })
  .extend({
    /** Conversations that were begun. */
    times: count,
    /** Milliseconds of the replay at which the first one began. */
    firstMs: z.number().min(0),
    /** What was sent although nobody answered: datagrams, mostly. */
    bytesOut: count,
  });
export type Attempt = z.infer<typeof attempt>;

export const attempts = z.strictObject({
  list: z.array(attempt).max(MAX_ATTEMPTS),
  /** Conversations that found no room in the list. */
  unlisted: count,
});
export type Attempts = z.infer<typeof attempts>;

export function summarizeAttempts(ledger: FlowLedger): Attempts {
  const byPeer = new Map<string, Attempt>();
  let { flows: unlisted } = ledger.unlisted;
  for (const { protocol, address, port, name, application, startMs, bytesOut } of ledger.flows) {
    const key = [protocol, address, port, name, application].join('|');
    const known = byPeer.get(key);
    if (known !== undefined) {
      known.times++;
      known.bytesOut += bytesOut;
    } else if (byPeer.size >= MAX_ATTEMPTS) {
      unlisted++;
    } else {
      byPeer.set(key, {
        ...{ protocol, address, port, times: 1, firstMs: startMs, bytesOut },
        ...(name === undefined ? {} : { name }),
        ...(application === undefined ? {} : { application }),
      });
    }
  }
  return { list: [...byPeer.values()], unlisted };
}
