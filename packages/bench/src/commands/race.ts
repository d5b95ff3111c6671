import { writeFile } from 'node:fs/promises';

import { Command, Option } from 'commander';

import { behaviours, type Behaviour } from '../race/behaviour.js';
import { raceLinks, raceTable, runRaceBenchmark, type RaceLink } from '../race/race-benchmark.js';
import { racePlot } from '../race/race-plot.js';

import { run } from './run.js';

interface RaceArguments {
  readonly link?: readonly RaceLink[];
  readonly replay?: readonly Behaviour[];
  readonly plot?: string;
  readonly json?: string;
}

/** `bench race`: replay against shipping, on links and with replays of all kinds. */
export function raceCommand(): Command {
  return new Command('race')
    .description(
      'Races replay against shipping on slow and fast links, with replays that are fast, slow, diverge or hang, and compares with each alone. Run again with the same --json, it goes on where it was.',
    )
    .addOption(new Option('--link <rate...>', 'only these links').choices([...raceLinks]))
    .addOption(new Option('--replay <kind...>', 'only these replays').choices([...behaviours]))
    .option('--plot <file>', 'draw both fronts over time, as SVG')
    .option('--json <file>', 'what was measured so far, and what is measured now')
    .action(async ({ link, replay, plot, json }: RaceArguments) => {
      await run(json, async (signal, onProgress) => {
        const result = await runRaceBenchmark({
          ...{ links: link ?? raceLinks, replays: replay ?? behaviours, file: json },
          ...{ signal, onProgress },
        });
        process.stdout.write(`${raceTable(result)}\n`);
        if (plot !== undefined) await writeFile(plot, racePlot(result));
        return result;
      });
    });
}
