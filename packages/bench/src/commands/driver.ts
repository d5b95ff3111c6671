import { Command, Option } from 'commander';

import { driverTable, runDriverBenchmark, workloads } from '../driver/index.js';

import { parseCount, parseMebibytes, parseMilliseconds, parseSeconds } from './parse.js';
import { run } from './run.js';

interface DriverArguments {
  readonly rounds: number;
  readonly pairs: number;
  readonly runtime: number;
  readonly size: number;
  readonly patience: number;
  readonly row?: readonly string[];
  readonly json?: string;
}

export function driverCommand(): Command {
  return new Command('driver')
    .description(
      "Compares our block driver with qemu-nbd and nbdkit: fio's nbd engine, six workloads, interleaved rounds.",
    )
    .option('--rounds <count>', 'compare with the others this often', parseCount, 9)
    .option('--pairs <count>', 'measure tracking on and off this often', parseCount, 48)
    .option('--runtime <ms>', 'of one measurement', parseMilliseconds, 600)
    .option('--size <MiB>', 'of the disk', parseMebibytes, 256)
    .option('--patience <s>', 'repeat disturbed measurements until then', parseSeconds, 300)
    .addOption(
      new Option('--row <name...>', 'only these workloads').choices(workloads.map((w) => w.name)),
    )
    .option('--json <file>', 'also write everything that was measured')
    .action(async ({ rounds, pairs, runtime, size, patience, row, json }: DriverArguments) => {
      await run(json, async (signal, onProgress) => {
        const result = await runDriverBenchmark({
          workloads: workloads.filter((workload) => row?.includes(workload.name) ?? true),
          ...{ rounds, pairs, runtimeMs: runtime, sizeMiB: size, signal, onProgress },
          repeatUntilMs: patience * 1000,
        });
        process.stdout.write(`${driverTable(result)}\n`);
        return result;
      });
    });
}
