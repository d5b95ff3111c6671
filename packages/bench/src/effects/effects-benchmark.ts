import { effectPolicies, type EffectPolicy } from '@reprise/core';
import { startCountingServers } from '@reprise/core/gate-testing';

import { createRunDirectory } from '../fixture/index.js';
import { buildDigest } from '../measure/build-digest.js';
import { keepResult, readResult } from '../report/results-file.js';

import { EffectsBlock } from './block.js';
import { isExactlyOnce, summarize, type EffectsResult, type EffectsRound } from './results.js';

export interface EffectsBenchmarkOptions {
  readonly policies: readonly EffectPolicy[];
  /** Of each policy. */
  readonly rounds: number;
  /** What was measured so far, kept after each round; a benchmark that was cut off goes on from there. */
  readonly file: string | undefined;
  /** Whether this process has a network of its own, so that every packet in it counts. */
  readonly isolated: boolean;
  readonly signal: AbortSignal;
  readonly onProgress: (text: string) => void;
}

/** Rounds on one pair of hosts; then a fresh one, so that no round stands on a long history. */
const ROUNDS_A_BLOCK = 15;

/** Sessions that do something in the world, each migrated with replay: nothing of it may be done twice. */
export async function runEffectsBenchmark(
  options: EffectsBenchmarkOptions,
): Promise<EffectsResult> {
  const { policies, signal, onProgress, isolated } = options;
  const rounds = [...((await readResult<EffectsResult>(options.file, 1))?.rounds ?? [])];
  const build = await buildDigest();
  const result = (): EffectsResult => ({
    ...{ version: 1, build, rounds },
    policies: effectPolicies.map((policy) => summarize(rounds, policy, build)),
  });
  const done = (policy: EffectPolicy) => summarize(rounds, policy, build).runs;
  // Turn by turn, so that a part of the rounds says something about each policy.
  const next = () =>
    policies.toSorted((a, b) => done(a) - done(b)).find((policy) => done(policy) < options.rounds);
  await using directory = await createRunDirectory();
  while (next() !== undefined) {
    await using servers = await startCountingServers();
    await using block = await EffectsBlock.open({
      ...{ servers, isolated, build, signal, onProgress, directory: directory.path },
    });
    for (let i = 0; i < ROUNDS_A_BLOCK; i++) {
      const policy = next();
      if (policy === undefined) break;
      signal.throwIfAborted();
      const round = await block.round(policy);
      rounds.push(round);
      onProgress(`${policy}, round ${String(done(policy))}: ${said(round)}`);
      await keepResult(options.file, result());
    }
  }
  return result();
}

function said(round: EffectsRound): string {
  const { outcome, ledgerComplete, attemptsAsExpected, packetBytes } = round;
  const faults = [
    ...(isExactlyOnce(round) ? [] : ['NOT EXACTLY ONCE']),
    ...(ledgerComplete ? [] : ['THE LEDGER LACKS SOMETHING']),
    ...(attemptsAsExpected ? [] : ['OTHER ATTEMPTS THAN EXPECTED']),
    ...(packetBytes === null || packetBytes === 0 ? [] : [`${String(packetBytes)} B WERE SEEN`]),
    ...(outcome === 'complete' ? [] : [outcome]),
  ];
  return faults.length === 0 ? 'once' : faults.join(', ');
}
