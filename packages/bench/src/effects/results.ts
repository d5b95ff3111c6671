import type { EffectPolicy } from '@reprise/core';

/** One session that posted a form and sent a mail, and its migration with replay. */
export interface EffectsRound {
  readonly policy: EffectPolicy;
  readonly build: string;
  /** What the servers counted in the session, and while it was migrated. */
  readonly session: Counts;
  readonly migration: Counts;
  /** Bytes of all packets that were seen on any interface during the migration; null: there could be no capture. */
  readonly packetBytes: number | null;
  /** The ledger says that it is complete, and has both effects, each with the input that led to it. */
  readonly ledgerComplete: boolean;
  /** What the replay tried is listed: both again when nothing is withheld, else neither. */
  readonly attemptsAsExpected: boolean;
  /** Of the replay, with its reason. */
  readonly outcome: string;
  readonly replaySeconds: number;
}

export interface Counts {
  readonly posts: number;
  readonly mails: number;
  readonly connections: number;
}

export interface PolicySummary {
  readonly policy: EffectPolicy;
  readonly runs: number;
  /** Of the runs: both were done once in the session, and nothing reached the servers in the migration. */
  readonly exactlyOnce: number;
  readonly ledgerComplete: number;
  readonly attemptsAsExpected: number;
  /** Of the runs: those with a capture, and those of them in which not one packet was seen. */
  readonly captured: number;
  readonly silent: number;
  /** Of the runs: the replay went through to its end. */
  readonly replayed: number;
  readonly verdict: 'holds' | 'fails' | 'open';
}

export interface EffectsResult {
  readonly version: 1;
  /** The build that `policies` is about; rounds of another one are kept, and not counted. */
  readonly build: string;
  readonly policies: readonly PolicySummary[];
  readonly rounds: readonly EffectsRound[];
}

/** How often everything has to go right under a policy before its promise is said to hold. */
export const ROUNDS_WANTED = 50;

export function isExactlyOnce({ session, migration }: EffectsRound): boolean {
  const once = session.posts === 1 && session.mails === 1;
  return once && Object.values(migration).every((count) => count === 0);
}

export function summarize(
  all: readonly EffectsRound[],
  policy: EffectPolicy,
  build: string,
): PolicySummary {
  const rounds = all.filter((round) => round.policy === policy && round.build === build);
  const count = (of: (round: EffectsRound) => boolean) => rounds.filter(of).length;
  const captured = rounds.filter(({ packetBytes }) => packetBytes !== null);
  const counts = {
    exactlyOnce: count(isExactlyOnce),
    ledgerComplete: count((round) => round.ledgerComplete),
    attemptsAsExpected: count((round) => round.attemptsAsExpected),
    replayed: count(({ outcome }) => outcome === 'complete'),
  };
  const silent = captured.filter(({ packetBytes }) => packetBytes === 0).length;
  const good =
    Object.values(counts).every((n) => n === rounds.length) && silent === captured.length;
  const enough = rounds.length >= ROUNDS_WANTED;
  return {
    ...{ policy, runs: rounds.length, ...counts, captured: captured.length, silent },
    verdict: good ? (enough ? 'holds' : 'open') : 'fails',
  };
}

export function effectsTable({ policies }: EffectsResult): string {
  const head = ['policy', 'once', 'ledger', 'attempts', 'replayed', 'silent', 'verdict'];
  const rows = policies.map((p) => [
    p.policy,
    ...[p.exactlyOnce, p.ledgerComplete, p.attemptsAsExpected, p.replayed].map(
      (n) => `${String(n)}/${String(p.runs)}`,
    ),
    p.captured === 0 ? 'not seen' : `${String(p.silent)}/${String(p.captured)}`,
    p.verdict,
  ]);
  return [head, ...rows].map((row) => row.map((cell) => cell.padEnd(10)).join('')).join('\n');
}
