import { byteClasses, type ByteTotals } from '@reprise/core';

import type { Clock, Measurement, SessionRun } from '../../measure/measurement.js';

/** A run whose methods moved these many bytes; what is not given stands at zero. */
export function sessionRun(
  bytes: Readonly<Partial<Record<Measurement['method'], Partial<ByteTotals>>>>,
  session = 'tiny-shell',
  clock: Clock = 'host',
): SessionRun {
  return {
    ...{ session, guest: 'tiny', clock, title: 'a session', run: 1 },
    ...{ base: 'b'.repeat(64), target: 'c'.repeat(64), sessionSeconds: 95.4 },
    changed: { ramPages: 1234, diskBlocks: 56 },
    verified: true,
    measurements: Object.entries(bytes).map(([method, some]) => ({
      method: method as Measurement['method'],
      bytes: totals(some),
      seconds: 1,
    })),
  };
}

function totals(some: Partial<ByteTotals>): ByteTotals {
  const none = Object.fromEntries(byteClasses.map((name) => [name, { sent: 0, received: 0 }]));
  const byClass = { ...none, ...some.byClass } as ByteTotals['byClass'];
  const sent = some.sent ?? sum(byClass, 'sent');
  const received = some.received ?? sum(byClass, 'received');
  return { total: sent + received, sent, received, byClass };
}

function sum(byClass: ByteTotals['byClass'], direction: 'sent' | 'received'): number {
  return Object.values(byClass).reduce((all, one) => all + one[direction], 0);
}
