import { readFile } from 'node:fs/promises';

import { Command, Option } from 'commander';

import { bytesSessions, runBytesBenchmark, writeWhole } from '../bytes/index.js';
import { htmlReport } from '../html/index.js';

import { parseCount } from './parse.js';
import { run } from './run.js';

interface BytesArguments {
  readonly session?: readonly string[];
  readonly quick: boolean;
  readonly jobs: number;
  readonly json?: string;
  readonly html?: string;
  readonly race?: string;
  readonly virtual?: string;
}

export function bytesCommand(): Command {
  return new Command('bytes')
    .description(
      'Every way to move what a recorded session left, side by side on the same states, and the limit. Recordings and results are kept: run again, it goes on where it was.',
    )
    .addOption(
      new Option('--session <name...>', 'only these sessions').choices(Object.keys(bytesSessions)),
    )
    .option('--quick', 'reprise alone: without other tools and the limit', false)
    .option('--jobs <count>', 'methods that need no VM at once', parseCount, 2)
    .option('--json <file>', 'also write everything that was measured, after each method')
    .option('--html <file>', 'and as one page with plots, which needs nothing else')
    .option('--race <file>', 'what `bench race --json` wrote, for the page')
    .option('--virtual <file>', 'finished runs of `bench virtual`; default: those in the cache')
    .action(async ({ session, quick, jobs, json, html, race, virtual }: BytesArguments) => {
      await run(json, async (signal, onProgress) => {
        const races = race === undefined ? undefined : await readFile(race, 'utf8');
        const result = await runBytesBenchmark({
          ...{ sessions: session ?? Object.keys(bytesSessions), quick, jobs, signal, onProgress },
          virtualRuns: virtual,
          onTable: (text) => process.stdout.write(`${text}\n\n`),
          onResult: async (partial) => {
            if (json !== undefined) {
              await writeWhole(json, `${JSON.stringify(partial, undefined, 2)}\n`);
            }
            if (html !== undefined) await writeWhole(html, htmlReport(partial, races));
          },
        });
        if (html !== undefined) await writeWhole(html, htmlReport(result, races));
        return result;
      });
    });
}
