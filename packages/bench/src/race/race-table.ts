import type { RaceResult } from './results.js';

const HEAD = [
  ...['session', 'link', 'replay', 'shipping', 'replay alone', 'race (fastest - slowest)'],
  ...['to best', 'bytes / bound', 'time?', 'bytes?'],
];
const WIDTHS = [14, 9, 11, 10, 14, 42, 9, 22, 7, 0];

/** A line a case, with what each claim comes to. */
export function raceTable({ cases }: RaceResult): string {
  const seconds = (value: number | null) => (value === null ? '-' : `${value.toFixed(1)} s`);
  const rows = cases.map((one) => {
    const { min, max } = one.secondsSpread;
    const how = one.outcome === null ? one.strategy : `${one.strategy}, ${one.outcome}`;
    return [
      ...[one.session, one.link, one.replay, seconds(one.shipSeconds), seconds(one.replaySeconds)],
      `${seconds(one.seconds)} (${min.toFixed(1)} - ${max.toFixed(1)}; ${how})`,
      one.timeRatioToBest.toFixed(2),
      one.bytes === null ? '-' : `${String(one.bytes)} / ${String(one.bytesBound ?? '-')}`,
      ...[one.verdicts.time, one.verdicts.bytes],
    ];
  });
  return [HEAD, ...rows]
    .map((row) => row.map((cell, i) => cell.padEnd(WIDTHS[i] ?? 0)).join(''))
    .join('\n');
}
