import { writeFile } from 'node:fs/promises';

import { Command, Option } from 'commander';

import {
  behaviours,
  raceLinks,
  racePlot,
  raceSessionNames,
  raceTable,
  runRaceBenchmark,
  type Behaviour,
  type RaceLink,
} from '../race/index.js';

import { parseCount } from './parse.js';
import { run } from './run.js';

interface RaceArguments {
  readonly session?: readonly string[];
  readonly link?: readonly RaceLink[];
  readonly replay?: readonly Behaviour[];
  readonly repeats: number;
  readonly plot?: string;
  readonly json?: string;
}

/** `bench race`: replay against shipping, on links and with replays of all kinds. */
export function raceCommand(): Command {
  return new Command('race')
    .description(
      'Races replay against shipping on slow and fast links, with replays that are fast, slow, diverge or hang, and compares with each alone. Run again with the same --json, it goes on where it was.',
    )
    .addOption(
      new Option('--session <name...>', 'only these sessions').choices([...raceSessionNames]),
    )
    .addOption(new Option('--link <rate...>', 'only these links').choices([...raceLinks]))
    .addOption(new Option('--replay <kind...>', 'only these replays').choices([...behaviours]))
    .option('--repeats <count>', 'do each migration this often', parseCount, 3)
    .option('--plot <file>', 'draw both fronts over time, as SVG')
    .option('--json <file>', 'what was measured so far, and what is measured now')
    .action(async ({ session, link, replay, repeats, plot, json }: RaceArguments) => {
      await run(json, async (signal, onProgress) => {
        const result = await runRaceBenchmark({
          ...{ sessions: session ?? raceSessionNames, links: link ?? raceLinks, repeats },
          ...{ replays: replay ?? behaviours, file: json, signal, onProgress },
        });
        process.stdout.write(`${raceTable(result)}\n`);
        if (plot !== undefined) await writeFile(plot, racePlot(result));
        return result;
      });
    });
}
