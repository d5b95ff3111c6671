import { virtualTimeReadiness } from '@reprise/core';

import { clocks, type Clock, type MeasureOptions } from './measurement.js';

/**
 * The clocks that guests can run under here: both, or where guests do not run in virtual time the host's alone, which
 * is said loudly. Tests virtual time where it was not tested yet.
 */
export async function clocksHere({
  signal,
  onProgress,
}: MeasureOptions): Promise<readonly Clock[]> {
  const readiness = await virtualTimeReadiness({
    ...(signal === undefined ? {} : { signal }),
    onTest: () => {
      onProgress('testing virtual time on this host, once');
    },
  });
  if (readiness.ready) return clocks;
  onProgress(
    `NO VIRTUAL TIME HERE: ${readiness.because}. Only opportunistic replays, under the host's clock, are measured. Run reprise doctor.`,
  );
  return ['host'];
}
