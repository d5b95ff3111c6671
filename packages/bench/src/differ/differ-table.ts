import type { Estimate } from '../report/estimate.js';

import type { DifferBenchmark, DifferRow } from './differ-benchmark.js';

const YARDSTICKS = { memcpy: 'a memcpy', xxh3: 'raw XXH3' } as const;

export function differTable(result: DifferBenchmark): string {
  const { host, imageBytes, changedShare, rounds, peakMemoryBytes } = result;
  const mib = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(0)} MiB`;
  return [
    `${host.cpu}, ${String(host.cores)} cores, ${String(host.memoryGiB)} GiB; Linux ${host.kernel}`,
    `reprise ${result.commit ?? '(commit unknown)'}; Node ${host.node}`,
    `two memory images of ${mib(imageBytes)}, ${(100 * changedShare).toFixed(0)} % of the pages changed; ${String(rounds)} rounds; GiB read in a second`,
    '',
    line('memcpy of an image', result.memcpy, ''),
    line('raw XXH3-128 of an image', result.xxh3, ''),
    ...result.rows.map((row) => line(title(row), row.gibPerSecond, remark(row))),
    ...result.programs.map(({ name, gibPerSecond, indexIsTimes }) =>
      line(name, gibPerSecond, `our index is ${times(indexIsTimes)} this`),
    ),
    '',
    `peak memory ${mib(peakMemoryBytes)}, beside the page cache`,
  ].join('\n');
}

function title({ name, threads }: DifferRow): string {
  return `${name}, ${threads === 1 ? '1 thread' : `${String(threads)} threads`}`;
}

function remark({ goal, scaling, seconds }: DifferRow): string {
  const parts = [`${seconds.median.toFixed(2)} s`];
  if (goal !== null) {
    const share = `${times(goal.ratio)} ${YARDSTICKS[goal.yardstick]}`;
    parts.push(`${share} (at least ${goal.least.toFixed(2)}: ${goal.holds ? 'holds' : 'FAILS'})`);
  }
  if (scaling !== null) parts.push(`${times(scaling)} one thread`);
  return parts.join('; ');
}

function line(name: string, speed: Estimate, remark: string): string {
  const range = `[${speed.low.toFixed(2)}, ${speed.high.toFixed(2)}]`;
  return `${name.padEnd(32)}${speed.median.toFixed(2).padStart(7)} ${range.padEnd(16)} ${remark}`.trimEnd();
}

function times({ median, low, high }: Estimate): string {
  return `${median.toFixed(2)} [${low.toFixed(2)}, ${high.toFixed(2)}] x`;
}
