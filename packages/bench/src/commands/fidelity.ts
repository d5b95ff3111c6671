import { Command, Option } from 'commander';

import { fidelitySessionNames, fidelityTable, runFidelityBenchmark } from '../fidelity/index.js';

import { parseCount } from './parse.js';
import { run } from './run.js';

interface FidelityArguments {
  readonly session?: readonly string[];
  readonly runs: number;
  readonly json?: string;
}

export function fidelityCommand(): Command {
  return new Command('fidelity')
    .description(
      'Replays recorded sessions and compares the last screen, files, time and residue. Takes hours; run again with the same --json, it goes on where it was.',
    )
    .addOption(
      new Option('--session <name...>', 'only these sessions').choices([...fidelitySessionNames]),
    )
    .option('--runs <count>', 'replay each session this often', parseCount, 20)
    .option('--json <file>', 'what was measured so far, and what is measured now')
    .action(async ({ session, runs, json }: FidelityArguments) => {
      await run(json, async (signal, onProgress) => {
        const result = await runFidelityBenchmark({
          ...{ sessions: session ?? fidelitySessionNames, runs, file: json, signal, onProgress },
        });
        process.stdout.write(`${fidelityTable(result)}\n`);
        return result;
      });
    });
}
