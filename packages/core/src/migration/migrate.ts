import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { RepriseError } from '../errors.js';
import type { EffectPolicy } from '../gate/index.js';
import { parseAddress, type SshOptions } from '../link/index.js';
import { openStore, type SnapshotStore } from '../snapshot/index.js';
import { suspendVm, vmStatus } from '../supervisor/index.js';
import { differFor } from '../state/index.js';

import { connectTo } from './connect.js';
import type { OnProgress } from './progress.js';
import type { MigrationReport } from './report.js';
import { runSource, type SourceOutcome } from './source.js';

export interface MigrateOptions {
  /** The store's directory; see `resolveHome`. */
  readonly home: string;
  readonly name: string;
  /** `user@host` for ssh, `unix:/path` for a socket where a receiver listens. */
  readonly destination: string;
  readonly ssh?: SshOptions;
  /** Bytes a second in each direction. */
  readonly bytesPerSecond?: number;
  /** Default `auto`: the plan decides. */
  readonly strategy?: 'auto' | 'replay' | 'ship';
  /**
   * `bytes` (default): a replay is waited for as long as it goes on. `time`: the residue is shipped meanwhile, and whoever
   * is through first ends the race.
   */
  readonly optimize?: 'bytes' | 'time';
  /** What a replay does with input that had an effect in the world. Default `block`: nothing is left out, and nothing gets out. */
  readonly effects?: EffectPolicy;
  /** Whether the VM is to run at the destination afterwards. Default true. */
  readonly resume?: boolean;
  /** Only find out what would be done; a running VM is refused, since it would have to be suspended. */
  readonly dryRun?: boolean;
  readonly signal?: AbortSignal;
  readonly onProgress?: OnProgress;
}

/**
 * Moves a VM to another host: connects, suspends it if it runs, meets, replays or ships, proves, hands
 * over. Until the handoff every failure leaves the VM here; calling again goes on.
 *
 * @throws RepriseError NO_COMMON_BASE, INCOMPATIBLE_PEER, LINK_FAILED, PROOF_FAILED, HELD_ELSEWHERE, …
 */
export async function migrate(options: MigrateOptions): Promise<SourceOutcome> {
  const { home, name, signal } = options;
  const onProgress = options.onProgress ?? (() => undefined);
  parseAddress(options.destination);
  await using store = await openStore({ home });
  await using differ = await differFor(store, name);
  await using channel = await connectTo({
    destination: options.destination,
    hostId: store.hostId,
    ...(options.ssh === undefined ? {} : { ssh: options.ssh }),
    ...(options.bytesPerSecond === undefined ? {} : { bytesPerSecond: options.bytesPerSecond }),
    ...(signal === undefined ? {} : { signal }),
  });
  try {
    // Only now: whoever cannot be reached costs the user nothing.
    await suspendIfRunning(options, onProgress);
    const outcome = await runSource({
      ...{ store, differ, name, channel, signal, onProgress },
      strategy: options.strategy ?? 'auto',
      optimize: options.optimize ?? 'bytes',
      effects: options.effects ?? 'block',
      resume: options.resume ?? true,
      dryRun: options.dryRun ?? false,
      bytesPerSecond: options.bytesPerSecond,
    });
    if (outcome.kind === 'migrated') await keepReport(store, outcome.report);
    return outcome;
  } catch (error) {
    await channel.sendError(error);
    throw error;
  }
}

async function suspendIfRunning(options: MigrateOptions, onProgress: OnProgress): Promise<void> {
  const { home, name } = options;
  if ((await vmStatus(home, name)) === undefined) return;
  if (options.dryRun === true) {
    throw new RepriseError(
      'VM_RUNNING',
      `'${name}' runs, and a plan needs its suspended state. Suspend it first: reprise suspend ${name}`,
    );
  }
  onProgress({ stage: 'suspend', text: `suspending '${name}'` });
  await suspendVm(home, name);
}

async function keepReport(store: SnapshotStore, report: MigrationReport): Promise<void> {
  const directory = await store.migrationDirectory(report.name, report.migration);
  await writeFile(join(directory, 'report.json'), `${JSON.stringify(report, undefined, 2)}\n`);
}
