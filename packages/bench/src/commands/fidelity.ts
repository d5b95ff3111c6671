import { Command, Option } from 'commander';

import { fidelitySessionNames, fidelityTable, runFidelityBenchmark } from '../fidelity/index.js';

import { parseCount } from './parse.js';
import { run } from './run.js';

interface FidelityArguments {
  readonly session?: readonly string[];
  readonly runs: number;
  readonly recordings: number;
  readonly load: boolean;
  readonly screens?: string;
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
    .option('--recordings <count>', 'record each session with so many seeds', parseCount, 3)
    .option('--load', 'keep the CPUs of the host busy meanwhile', false)
    .option('--screens <directory>', 'write the last screens there where they differ')
    .option('--json <file>', 'what was measured so far, and what is measured now')
    .action(async ({ session, json, load, screens, ...counts }: FidelityArguments) => {
      await run(json, async (signal, onProgress) => {
        const result = await runFidelityBenchmark({
          ...{ sessions: session ?? fidelitySessionNames, ...counts, loaded: load },
          ...{ screens, file: json, signal, onProgress },
        });
        process.stdout.write(`${fidelityTable(result)}\n`);
        return result;
      });
    });
}
