import { Command, Option } from 'commander';

import { runBenchmark } from '../benchmark.js';
import { clocksHere } from '../measure/clocks.js';
import type { Clock } from '../measure/measurement.js';
import { sessionNames } from '../session/index.js';

import { limitOption, parseCount } from './parse.js';
import { run } from './run.js';

interface SessionsArguments {
  readonly session?: readonly string[];
  readonly runs: number;
  readonly clock: Clock | 'both';
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
    .addOption(
      new Option(
        '--clock <clock>',
        "what the guest's time counts: virtual replays exactly, host opportunistically",
      )
        .choices(['both', 'host', 'virtual'])
        .default('both'),
    )
    .addOption(limitOption())
    .option('--json <file>', 'also write everything that was measured')
    .action(async ({ session, runs, clock, limit, json }: SessionsArguments) => {
      await run(json, async (signal, onProgress) => {
        const clocks = clock === 'host' ? [clock] : await clocksHere({ signal, onProgress });
        if (clock !== 'both' && !clocks.includes(clock)) {
          throw new Error('Nothing to measure: guests do not run in virtual time here.');
        }
        return await runBenchmark({
          ...{ sessions: session ?? sessionNames, runs, bytesPerSecond: limit },
          clocks: clock === 'both' ? clocks : [clock],
          ...{ signal, onProgress },
          onTable: (text) => process.stdout.write(`${text}\n\n`),
        });
      });
    });
}
