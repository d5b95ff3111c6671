import { Command } from 'commander';

import { runScaleBenchmark } from '../scale/scale-benchmark.js';
import { scaleTable } from '../scale/scale-table.js';

import { parseGibibytes } from './parse.js';
import { run } from './run.js';

interface ScaleArguments {
  readonly disk: number;
  readonly written: number;
  readonly ram: number;
  readonly json?: string;
}

export function scaleCommand(): Command {
  return new Command('scale')
    .description(
      'A large machine: time, memory and reads of the differ; cost must follow what changed. Fails where it does not.',
    )
    .option('--disk <GiB>', 'size of the disk', parseGibibytes, 64)
    .option('--written <GiB>', 'how much of it is written', parseGibibytes, 20)
    .option('--ram <GiB>', 'memory', parseGibibytes, 8)
    .option('--json <file>', 'also write everything that was measured')
    .action(async ({ disk, written, ram, json }: ScaleArguments) => {
      await run(json, async (signal, onProgress) => {
        const result = await runScaleBenchmark({
          ...{ diskGiB: disk, writtenGiB: Math.min(disk, written), ramGiB: ram },
          ...{ changedShare: 0.02, signal, onProgress },
        });
        process.stdout.write(`${scaleTable(result)}\n`);
        if (result.steps.some(({ holds }) => holds === false)) process.exitCode = 1;
        return result;
      });
    });
}
