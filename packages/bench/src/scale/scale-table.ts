import type { ScaleResult } from './scale-benchmark.js';

const GIB = 2 ** 30;

export function scaleTable(result: ScaleResult): string {
  const gib = (bytes: number) => `${(bytes / GIB).toFixed(1)} GiB`;
  const mib = (bytes: number) => `${(bytes / 2 ** 20).toFixed(0)} MiB`;
  const rows = result.steps.map((one) => {
    const bound = { true: 'holds', false: 'FAILS', undefined: '' }[String(one.holds)] ?? '';
    return [
      one.step.padEnd(36),
      `${one.seconds.toFixed(2)} s`.padStart(10),
      mib(one.peakMemoryBytes).padStart(10),
      mib(one.bytesRead).padStart(12),
      mib(one.bytesFromStorage).padStart(14),
      bound.padStart(7),
      `  ${one.detail}`,
    ].join('');
  });
  return [
    `a disk of ${gib(result.diskBytes)} with ${gib(result.writtenBytes)} written, ${gib(result.ramBytes)} of RAM, ${String(result.changedPages)} pages changed`,
    `${'step'.padEnd(36)}${'time'.padStart(10)}${'memory'.padStart(10)}${'looked at'.padStart(12)}${'from storage'.padStart(14)}${'bound'.padStart(7)}`,
    ...rows,
  ].join('\n');
}
