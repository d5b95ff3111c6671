import { Command, Option } from 'commander';

import {
  DEFAULT_SESSIONS,
  runVirtualBenchmark,
  virtualSessions,
  virtualTable,
} from '../virtual/index.js';

import { limitOption, parseCount, parseLanes, parsePairs } from './parse.js';
import { run } from './run.js';

interface VirtualArguments {
  readonly session: readonly string[];
  readonly runs: number;
  readonly jobs: number;
  readonly pairs: number;
  readonly limit: number;
  readonly results?: string;
  readonly json?: string;
}

export function virtualCommand(): Command {
  return new Command('virtual')
    .description(
      'Sessions in virtual time: whether they replay bit for bit, what their migration costs beside an opportunistic one, how much slower the guest is. Interrupted, it goes on where it was. Fails where a promise was seen to be broken.',
    )
    .addOption(
      new Option('--session <name...>', 'only these sessions')
        .choices(virtualSessions.map(({ name }) => name))
        .default(DEFAULT_SESSIONS),
    )
    .option('--runs <count>', 'of each short session; every second one under load', parseCount, 2)
    .option('--jobs <count>', 'runs at a time', parseLanes, 3)
    .option('--pairs <count>', 'builds in virtual time and plainly; 0: none', parsePairs, 5)
    .addOption(limitOption())
    .option('--results <file>', 'where finished runs are kept (default: in the cache)')
    .option('--json <file>', 'also write the result')
    .action(async ({ session, json, limit, ...rest }: VirtualArguments) => {
      await run(json, async (signal, onProgress) => {
        const result = await runVirtualBenchmark({
          ...{ ...rest, sessions: session, bytesPerSecond: limit, signal, onProgress },
        });
        process.stdout.write(`${virtualTable(result)}\n`);
        if (result.verdicts.some(({ holds }) => holds === false)) process.exitCode = 1;
        return result;
      });
    });
}
