import { Command, Option } from 'commander';

import { runBenchmark } from '../benchmark.js';
import { sessionNames } from '../session/index.js';

import { limitOption, parseCount } from './parse.js';
import { run } from './run.js';

interface SessionsArguments {
  readonly session?: readonly string[];
  readonly runs: number;
  readonly limit: number;
  readonly json?: string;
}

/** The benchmark without a name of its own: what `bench` alone does. */
export function sessionsCommand(): Command {
  return new Command('bench')
    .enablePositionalOptions() // what follows the name of a benchmark is its own
    .description(
      'Plays scripted sessions on guests and measures what it takes to move them to a host that has their base.',
    )
    .addOption(new Option('--session <name...>', 'only these sessions').choices([...sessionNames]))
    .option('--runs <count>', 'play and measure each session this often', parseCount, 1)
    .addOption(limitOption())
    .option('--json <file>', 'also write everything that was measured')
    .action(async ({ session, runs, limit, json }: SessionsArguments) => {
      await run(json, (signal, onProgress) =>
        runBenchmark({
          ...{ sessions: session ?? sessionNames, runs, bytesPerSecond: limit },
          ...{ signal, onProgress },
          onTable: (text) => process.stdout.write(`${text}\n\n`),
        }),
      );
    });
}
