import type { VirtualBenchmark } from './virtual-benchmark.js';

const COLUMNS = ['session', 'identical', 'bytes', 'log', 'rsync -z', 'ship', 'replay', 'slowdown'];

/** The result for a person. */
export function virtualTable({ sessions, latency }: VirtualBenchmark): string {
  const rows = sessions.map((one) => [
    one.name,
    `${String(one.identical)} of ${String(one.runs)}`,
    String(Math.round(one.bytesTotal)),
    String(Math.round(one.log)),
    one.rsyncZ === null ? '' : String(one.rsyncZ),
    one.ship === null ? '' : String(one.ship),
    `${one.replaySeconds.toFixed(0)} of ${one.sessionSeconds.toFixed(0)} s`,
    one.guestSlowdown === null ? '' : `${(100 * one.guestSlowdown).toFixed(0)} %`,
  ]);
  const table = [COLUMNS, ...rows];
  const widths = COLUMNS.map((_, i) => Math.max(...table.map((row) => (row[i] ?? '').length)));
  const lines = table.map((row) =>
    row
      .map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0)))
      .join('  '),
  );
  return [
    ...lines,
    `input latency: median ${latency.medianMs.toFixed(1)} ms, 95 % within ${latency.p95Ms.toFixed(1)} ms`,
  ].join('\n');
}
