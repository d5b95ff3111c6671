import { setPriority } from 'node:os';

import { RepriseError, rehearse, type Rehearsal } from '@reprise/core';

import type { Context } from '../context.js';
import { withSpinner } from '../output/spinner.js';
import { seconds } from '../output/units.js';

/** As low as there is: a session that runs meanwhile comes first. */
const LOWEST_PRIORITY = 19;

/** `rehearse`: replays a VM's session so far, beside it, and says whether it came out the same. */
export async function rehearseVm(context: Context, name: string): Promise<void> {
  // Of this process, and so of all that it starts.
  setPriority(LOWEST_PRIORITY);
  await using store = await context.openStore();
  const rehearsal = await withSpinner(context.output, `replaying the session of '${name}'`, (say) =>
    rehearse({
      ...{ store, name, signal: context.signal },
      onProgress: (doneMs, totalMs) => {
        say(`${seconds(doneMs / 1000)} of ${seconds(totalMs / 1000)}`);
      },
    }),
  );
  context.output.result(rehearsal, () => describe(rehearsal));
  if (!rehearsal.exact) {
    throw new RepriseError(
      'REPLAY_DIVERGED',
      `The session of '${name}' does not replay exactly. It migrates all the same, by shipping what differs; report this, it is a defect.`,
    );
  }
}

/** A rehearsal in a line. */
export function describe(rehearsal: Rehearsal): string {
  const { exact, of, marks, marksTotal, sessionSeconds, reason } = rehearsal;
  const much = `${seconds(sessionSeconds)} of the session${of === 'running' ? ' so far' : ''}`;
  const compared = `${String(marks)} of ${String(marksTotal)} marks`;
  if (!exact) return `not exact: ${reason ?? `${compared} were equal`}`;
  const end = of === 'suspended' ? ', and its end,' : '';
  return `exact: ${much}, ${compared}${end} equal, replayed in ${seconds(rehearsal.seconds)}`;
}
