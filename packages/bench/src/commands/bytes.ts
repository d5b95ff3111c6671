import { Command, Option } from 'commander';

import { bytesSessions, runBytesBenchmark } from '../bytes/index.js';

import { run } from './run.js';

interface BytesArguments {
  readonly session?: readonly string[];
  readonly quick: boolean;
  readonly json?: string;
}

export function bytesCommand(): Command {
  return new Command('bytes')
    .description(
      'Every way to move what a recorded session left, side by side on the same states, and the limit. Recordings are made once.',
    )
    .addOption(
      new Option('--session <name...>', 'only these sessions').choices(Object.keys(bytesSessions)),
    )
    .option('--quick', 'reprise alone: without other tools and the limit', false)
    .option('--json <file>', 'also write everything that was measured')
    .action(async ({ session, quick, json }: BytesArguments) => {
      await run(json, (signal, onProgress) =>
        runBytesBenchmark({
          ...{ sessions: session ?? Object.keys(bytesSessions), quick, signal, onProgress },
          onTable: (text) => process.stdout.write(`${text}\n\n`),
        }),
      );
    });
}
