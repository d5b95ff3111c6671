import type { Methods } from './method-bytes.js';

/** One bound, and whether what was measured is within it; null where something of it was not measured. */
export interface Verdict {
  readonly bound: string;
  readonly measured: number | null;
  readonly limit: number;
  readonly holds: boolean | null;
}

/** What reprise with replay promises about a session of that name, in bytes. */
export function verdictsOf(name: string, methods: Methods): Verdict[] {
  const { replay, ship, rsyncZ, cloudlet, oracle } = methods;
  const ratio = (bound: string, other: { total: number } | null, limit: number): Verdict => {
    if (replay === null || other === null) return { bound, measured: null, limit, holds: null };
    const measured = replay.total / other.total;
    return { bound, measured, limit, holds: measured <= limit };
  };
  const verdicts = [ratio('replay / oracle', oracle, 1.25)];
  if (name.startsWith('edit')) verdicts.push(ratio('replay / rsync -z', rsyncZ, 1 / 12));
  if (name.startsWith('terminal')) verdicts.push(ratio('replay / rsync -z', rsyncZ, 1 / 40));
  verdicts.push(ratio('replay / cloudlet-style', cloudlet, 1 / 3));
  // Never more than reprise without a replay, the log and one exchange of digests.
  const allowed =
    ship === null || replay === null ? null : { total: ship.total + replay.log + replay.digests };
  verdicts.push(ratio('replay / (no replay + log + digests)', allowed, 1));
  return verdicts;
}

export function verdictLine({ bound, measured, limit, holds }: Verdict): string {
  const word = holds === null ? 'not measured' : holds ? 'holds' : 'FAILS';
  const figure = measured === null ? '' : ` ${measured.toFixed(4)}`;
  return `${bound}:${figure} (at most ${limit.toFixed(4)}) ${word}`;
}
