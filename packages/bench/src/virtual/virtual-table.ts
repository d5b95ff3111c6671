import type { Verdict } from './verdicts.js';
import type { VirtualBenchmark } from './virtual-benchmark.js';

const COLUMNS = [
  ...['session', 'identical', 'bytes', 'at most', 'log', 'frames', 'opportunistic'],
  ...['rsync -z', 'ship', 'replay', 'idle', 'disk'],
];

/** The result for a person. */
export function virtualTable({ sessions, verdicts }: VirtualBenchmark): string {
  const rows = sessions.map((one) => [
    one.name,
    `${String(one.identical)} of ${String(one.runs)}`,
    String(one.bytesTotal),
    String(one.bytesSpread.max),
    String(one.log),
    String(one.frames),
    numberOr(one.opportunistic),
    numberOr(one.rsyncZ),
    numberOr(one.ship),
    `${one.replaySeconds.toFixed(0)} of ${one.sessionSeconds.toFixed(0)} s`,
    one.alone === null ? '' : `${(100 * one.alone.idleShare).toFixed(0)} %`,
    `${one.diskSeconds.toFixed(1)} s`,
  ]);
  const failures = sessions.flatMap(({ name, failures }) =>
    failures.map((failure) => `FAILED: ${name}, ${failure}`),
  );
  return [...aligned([COLUMNS, ...rows]), '', ...verdicts.map(verdictLine), ...failures].join('\n');
}

function verdictLine({ session, promise, measured, holds }: Verdict): string {
  const mark = holds === null ? '?     ' : holds ? 'holds ' : 'BROKEN';
  return `${mark}  ${session}: ${promise}: ${measured}`;
}

function aligned(table: readonly (readonly string[])[]): string[] {
  const widths = COLUMNS.map((_, i) => Math.max(...table.map((row) => (row[i] ?? '').length)));
  return table.map((row) =>
    row
      .map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0)))
      .join('  '),
  );
}

function numberOr(value: number | null): string {
  return value === null ? '' : String(value);
}
