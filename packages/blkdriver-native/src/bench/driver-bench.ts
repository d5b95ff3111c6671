// fio's nbd engine against our driver (tracking on and off), qemu-nbd and nbdkit:
//   node dist/bench/driver-bench.js [--json FILE] [--rounds 7] [--seconds 1] [--size-mib 256]
//                                   [--dir DIR]
// In every round each server runs each workload once, in an order that rotates,
// so that what else the machine does hits all of them alike.
import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

import { runOk } from '../testing/run.js';
import { fill, measure, workloads } from './fio.js';
import type { Workload } from './fio.js';
import { estimateMedian } from './median.js';
import { startNbdkit, startOurs, startQemuNbd } from './servers.js';
import type { BenchServer } from './servers.js';

interface Row {
  name: string;
  /** Medians: operations per second, or bytes per second for the sequential rows. */
  ours: number;
  qemuNbd: number;
  nbdkit: number;
  /** Median of ours / the better of the others, round by round, with its 95 % interval. */
  ratioToBest: number;
  ratioLow: number;
  ratioHigh: number;
  /** Median of 1 - tracked / untracked, and the lower end of its 95 % interval. */
  trackingCost: number;
  trackingLow: number;
}

type Samples = Record<BenchServer['name'], number[]>;

function toRow(workload: Workload, samples: Samples): Row {
  const median = (name: BenchServer['name']): number => estimateMedian(samples[name]).median;
  const best = median('qemuNbd') >= median('nbdkit') ? samples.qemuNbd : samples.nbdkit;
  const ratio = estimateMedian(samples.ours.map((value, i) => value / (best[i] ?? value)));
  const cost = estimateMedian(
    samples.ours.map((value, i) => 1 - value / (samples.untracked[i] ?? value)),
  );
  return {
    name: workload.name,
    ours: median('ours'),
    qemuNbd: median('qemuNbd'),
    nbdkit: median('nbdkit'),
    ratioToBest: ratio.median,
    ratioLow: ratio.low,
    ratioHigh: ratio.high,
    trackingCost: cost.median,
    trackingLow: cost.low,
  };
}

async function sample(
  servers: readonly BenchServer[],
  o: { rounds: number; seconds: number; sizeBytes: bigint },
): Promise<Row[]> {
  const rows: Row[] = [];
  for (const workload of workloads) {
    const samples: Samples = { ours: [], untracked: [], qemuNbd: [], nbdkit: [] };
    for (let round = 0; round < o.rounds; round++) {
      for (let i = 0; i < servers.length; i++) {
        const server = servers[(i + round) % servers.length];
        if (server === undefined) continue;
        samples[server.name].push(await measure(server.uri, workload, o.sizeBytes, o.seconds));
      }
    }
    const row = toRow(workload, samples);
    rows.push(row);
    process.stderr.write(format(row) + '\n');
  }
  return rows;
}

function format(row: Row): string {
  const figures = [row.ours, row.qemuNbd, row.nbdkit].map((value) => {
    return (value > 1e7 ? `${(value / 1e6).toFixed(0)} MB/s` : value.toFixed(0)).padStart(10);
  });
  const interval = `[${row.ratioLow.toFixed(2)}, ${row.ratioHigh.toFixed(2)}]`;
  const tracking = `${(100 * row.trackingCost).toFixed(1)} %`;
  return `${row.name.padEnd(30)}${figures.join('')}  ${row.ratioToBest.toFixed(2)}x ${interval}  tracking ${tracking}`;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      json: { type: 'string' },
      rounds: { type: 'string', default: '7' },
      seconds: { type: 'string', default: '1' },
      'size-mib': { type: 'string', default: '256' },
      dir: { type: 'string', default: tmpdir() },
    },
  });
  const sizeBytes = BigInt(values['size-mib']) << 20n;
  const dir = await mkdtemp(join(values.dir, 'blk-bench-'));
  try {
    const base = join(dir, 'base');
    await runOk('dd', ['if=/dev/urandom', `of=${base}`, 'bs=1M', `count=${values['size-mib']}`]);
    await copyFile(base, join(dir, 'qemu.img'));
    await copyFile(base, join(dir, 'nbdkit.img'));
    await using stack = new AsyncDisposableStackOf<BenchServer>();
    const servers = [
      stack.use(await startOurs(dir, base, sizeBytes, true)),
      stack.use(await startQemuNbd(dir, join(dir, 'qemu.img'))),
      stack.use(await startNbdkit(dir, join(dir, 'nbdkit.img'))),
      stack.use(await startOurs(dir, base, sizeBytes, false)),
    ];
    for (const server of servers) await fill(server.uri, sizeBytes);
    process.stderr.write(`${''.padEnd(30)}      ours  qemu-nbd    nbdkit  to the better one\n`);
    const options = { rounds: Number(values.rounds), seconds: Number(values.seconds), sizeBytes };
    const rows = await sample(servers, options);
    const report = JSON.stringify({ rounds: options.rounds, rows }, undefined, 2);
    if (values.json !== undefined) await writeFile(values.json, report + '\n');
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

/** Node 20 has no AsyncDisposableStack of its own. */
class AsyncDisposableStackOf<T extends AsyncDisposable> implements AsyncDisposable {
  readonly #resources: T[] = [];

  use(resource: T): T {
    this.#resources.push(resource);
    return resource;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const resource of this.#resources.reverse()) await resource[Symbol.asyncDispose]();
  }
}

await main();
