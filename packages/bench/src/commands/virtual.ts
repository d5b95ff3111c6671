import { Command, Option } from 'commander';

import { runVirtualBenchmark, virtualSessions, virtualTable } from '../virtual/index.js';

import { limitOption, parseCount } from './parse.js';
import { run } from './run.js';

interface VirtualArguments {
  readonly session?: readonly string[];
  readonly runs: number;
  readonly limit: number;
  readonly results?: string;
  readonly json?: string;
}

export function virtualCommand(): Command {
  return new Command('virtual')
    .description(
      'Sessions in virtual time: whether they replay bit for bit, what their migration costs, how much slower the guest is. Interrupted, it goes on where it was.',
    )
    .addOption(
      new Option('--session <name...>', 'only these sessions').choices(
        Object.keys(virtualSessions),
      ),
    )
    .option('--runs <count>', 'of each session; every second one under load', parseCount, 2)
    .addOption(limitOption())
    .option('--results <file>', 'where finished runs are kept (default: in the cache)')
    .option('--json <file>', 'also write the result')
    .action(async ({ session, runs, limit, results, json }: VirtualArguments) => {
      await run(json, async (signal, onProgress) => {
        const result = await runVirtualBenchmark({
          ...{ sessions: session ?? Object.keys(virtualSessions), runs, signal, onProgress },
          ...(results === undefined ? {} : { results }),
          bytesPerSecond: limit,
        });
        process.stdout.write(`${virtualTable(result)}\n`);
        return result;
      });
    });
}
