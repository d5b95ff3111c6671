import { Command } from 'commander';

import { differTable, runDifferBenchmark } from '../differ/index.js';

import { parseCount, parseMebibytes } from './parse.js';
import { run } from './run.js';

interface DifferArguments {
  readonly size: number;
  readonly rounds: number;
  readonly json?: string;
}

export function differCommand(): Command {
  return new Command('differ')
    .description(
      "The differ's throughput on memory images, against a memcpy, raw XXH3 and other programs in the same rounds. Fails where a goal was missed.",
    )
    .option('--size <MiB>', 'of each of two images', parseMebibytes, 4096)
    .option('--rounds <count>', 'everyone has a turn in each', parseCount, 7)
    .option('--json <file>', 'also write the result')
    .action(async ({ size, rounds, json }: DifferArguments) => {
      await run(json, async (signal, onProgress) => {
        const result = await runDifferBenchmark({ imageMiB: size, rounds, signal, onProgress });
        process.stdout.write(`${differTable(result)}\n`);
        if (result.rows.some(({ goal }) => goal?.holds === false)) process.exitCode = 1;
        return result;
      });
    });
}
