import { Command } from 'commander';

import { memoryTable, runMemoryBenchmark } from '../driver/index.js';

import { parseCount } from './parse.js';
import { run } from './run.js';

export function driverMemoryCommand(): Command {
  return new Command('driver-memory')
    .description('How much memory our block driver takes, by GiB of disk and by million writes.')
    .option('--millions <count>', 'random 4 KiB writes to make', parseCount, 2)
    .option('--json <file>', 'also write everything that was measured')
    .action(async ({ millions, json }: { millions: number; json?: string }) => {
      await run(json, async (signal, onProgress) => {
        const result = await runMemoryBenchmark({ millions, signal, onProgress });
        process.stdout.write(`${memoryTable(result)}\n`);
        return result;
      });
    });
}
