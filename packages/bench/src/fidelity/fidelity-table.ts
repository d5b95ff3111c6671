import { claims, type FidelityResult } from './results.js';

const HEAD = [
  ...['session', 'same screen', 'same files', 'replay (median)', 'slowest', 'idle', 'residue'],
  ...claims.map((claim) => `${claim}?`),
];
const WIDTHS = [30, 13, 12, 20, 9, 7, 9, 9, 8, 7, 0];

/** A line a session, with what each claim comes to. */
export function fidelityTable({ sessions }: FidelityResult): string {
  const percent = (share: number) => `${(100 * share).toFixed(0)} %`;
  const rows = sessions.map((s) => [
    `${s.name}${s.loaded ? ' (loaded)' : ''}`,
    `${String(s.sameScreen)}/${String(s.runs)}`,
    `${String(s.sameFiles)}/${String(s.runs)}`,
    `${s.replaySeconds.toFixed(1)} of ${s.sessionSeconds.toFixed(1)} s`,
    percent(s.slowestShareOfSession),
    percent(s.idleShare),
    s.residueRatioToOriginalPacing?.toFixed(3) ?? '-',
    ...claims.map((claim) => s.verdicts[claim]),
  ]);
  return [HEAD, ...rows]
    .map((row) => row.map((cell, i) => cell.padEnd(WIDTHS[i] ?? 0)).join(''))
    .join('\n');
}
