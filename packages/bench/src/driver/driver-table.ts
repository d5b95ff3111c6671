import type { DriverBenchmarkResult } from './driver-benchmark.js';
import type { DriverRow } from './driver-row.js';

/** The result as text: what was measured where, then a line a workload. */
export function driverTable({
  host,
  configuration,
  interference,
  rows,
  verdict,
}: DriverBenchmarkResult): string {
  const { rounds, runtimeMs, pairs, pairRuntimeMs, sizeBytes } = configuration;
  const commit = host.commit === undefined ? 'reprise, commit unknown' : `reprise ${host.commit}`;
  return [
    `${host.cpu}, ${String(host.cores)} cores, ${String(host.memoryGiB)} GiB; Linux ${host.kernel}`,
    `${commit}; Node ${host.node}, fio ${host.fio}, qemu-nbd ${host.qemuNbd}, nbdkit ${host.nbdkit}`,
    `${String(rounds)} rounds of ${String(runtimeMs)} ms, tracking on and off in ${String(pairs)} pairs of ${String(pairRuntimeMs)} ms`,
    `${String(sizeBytes / 2 ** 20)} MiB, one connection; buffered, page cache warm, no flushes`,
    `${String(interference.repeated)} measurements were disturbed by other work and repeated, ${String(interference.keptDisturbed)} kept all the same`,
    '',
    `${''.padEnd(28)}${['ours', 'qemu-nbd', 'nbdkit'].map((name) => name.padStart(12)).join('')}  ours to the better             cost of tracking`,
    ...rows.map(line),
    '',
    `as fast as the better on every row (median 0.97 at least, interval reaches 1): ${verdict.speed}`,
    `tracking costs under 3 % on every row: ${verdict.tracking}`,
    'shown: by the whole interval; met: by the median; open: the interval reaches it; missed: it does not',
  ].join('\n');
}

function line(row: DriverRow): string {
  const figures = [row.ours, row.qemuNbd, row.nbdkit].map((value) => figure(row, value));
  const ratio = `${row.ratioToBest.toFixed(2)} x ${interval(row.ratioLow, row.ratioHigh, 2)} ${row.verdict.speed}`;
  const cost = `${percent(row.trackingCost)} % [${percent(row.trackingLow)}, ${percent(row.trackingHigh)}] ${row.verdict.tracking}`;
  return `${row.name.padEnd(28)}${figures.join('')}  ${ratio.padEnd(29)}  ${cost}`;
}

function figure({ figure }: DriverRow, value: number): string {
  const text = figure === 'bytes/s' ? `${(value / 1e6).toFixed(0)} MB/s` : `${value.toFixed(0)} /s`;
  return text.padStart(12);
}

const interval = (low: number, high: number, digits: number): string =>
  `[${low.toFixed(digits)}, ${high.toFixed(digits)}]`;

const percent = (fraction: number): string => (100 * fraction).toFixed(1);
