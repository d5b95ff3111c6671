import { migrate, parseRate, RepriseError, type EffectPolicy } from '@reprise/core';

import type { Context } from '../context.js';
import { planText, reportText, watchMigration } from '../output/migration-view.js';
import { short } from '../output/units.js';

import { sshOptions, type LinkOptions } from './link-options.js';

export interface MigrateOptions extends LinkOptions {
  readonly dryRun?: boolean;
  readonly strategy: string;
  readonly optimize: 'bytes' | 'time';
  readonly effects: EffectPolicy;
  readonly resume: boolean;
}

const strategies = ['auto', 'replay', 'ship'] as const;

/** `migrate`: moves a VM to another host. */
export async function migrateVm(
  context: Context,
  name: string,
  destination: string,
  o: MigrateOptions,
): Promise<void> {
  const strategy = strategies.find((known) => known === o.strategy);
  if (strategy === undefined) {
    throw new RepriseError(
      'INVALID_ARGUMENT',
      `'${o.strategy}' is no strategy. Choose auto, replay or ship.`,
    );
  }
  const outcome = await watchMigration(context.output, (onProgress) =>
    migrate({
      ...{ home: context.home, name, destination, strategy, onProgress },
      optimize: o.optimize,
      effects: o.effects,
      resume: o.resume,
      dryRun: o.dryRun ?? false,
      ssh: sshOptions(o),
      ...(o.limit === undefined ? {} : { bytesPerSecond: parseRate(o.limit) }),
      signal: context.signal,
    }),
  );
  context.output.result(outcome, () => {
    switch (outcome.kind) {
      case 'planned':
        return planText(outcome.plan);
      case 'settled':
        return `An earlier migration had only its last word missing; '${name}' (${short(outcome.target)}) is at ${destination}.`;
      case 'migrated':
        return reportText(outcome.report);
    }
  });
}
