import { spawn } from 'node:child_process';
import { once } from 'node:events';

import { effectPolicies, type EffectPolicy } from '@reprise/core';
import { inOwnNetwork } from '@reprise/core/gate-testing';
import { Command, Option } from 'commander';

import { effectsTable, ROUNDS_WANTED, runEffectsBenchmark } from '../effects/index.js';

import { parseCount } from './parse.js';
import { run } from './run.js';

interface EffectsArguments {
  readonly policy?: readonly EffectPolicy[];
  readonly rounds: number;
  readonly json?: string;
}

/** Set in the process that has a network of its own. */
const ISOLATED = 'REPRISE_BENCH_OWN_NETWORK';

/** `bench effects`: what a session did in the world is not done again. */
export function effectsCommand(): Command {
  return new Command('effects')
    .description(
      'Sessions that post a form and send a mail to servers that count, each migrated with replay under each policy. Run again with the same --json, it goes on where it was.',
    )
    .addOption(
      new Option('--policy <policy...>', 'only these policies').choices([...effectPolicies]),
    )
    .option('--rounds <count>', 'of each policy', parseCount, ROUNDS_WANTED)
    .option('--json <file>', 'what was measured so far, and what is measured now')
    .action(async ({ policy, rounds, json }: EffectsArguments) => {
      const isolated = process.env[ISOLATED] !== undefined;
      if (!isolated && (await runInOwnNetwork())) return;
      await run(json, async (signal, onProgress) => {
        if (!isolated) onProgress('this host makes no network of our own: packets are not seen');
        const result = await runEffectsBenchmark({
          ...{ policies: policy ?? effectPolicies, rounds, file: json, isolated },
          ...{ signal, onProgress },
        });
        process.stdout.write(`${effectsTable(result)}\n`);
        return result;
      });
    });
}

/** The same command again, where every packet is its own. False: this host does not allow that. */
async function runInOwnNetwork(): Promise<boolean> {
  const command = await inOwnNetwork(process.execPath, process.argv.slice(1));
  if (command === undefined) return false;
  const child = spawn(command.program, command.args, {
    stdio: 'inherit',
    env: { ...process.env, [ISOLATED]: '1' },
  });
  const pass = (signal: NodeJS.Signals) => child.kill(signal);
  // Ctrl-C reaches the whole group by itself.
  const ignore = () => undefined;
  process.on('SIGTERM', pass).on('SIGINT', ignore);
  const [code] = (await once(child, 'exit')) as [number | null];
  process.off('SIGTERM', pass).off('SIGINT', ignore);
  process.exitCode = code ?? 1;
  return true;
}
