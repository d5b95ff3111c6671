/**
 * Whether to replay, and what either way is expected to cost. A pure function, so that `--dry-run`
 * prints exactly what would be done.
 */

export type Strategy = 'replay' | 'ship';

/** What is known before anything but the meeting has travelled. */
export interface PlanFacts {
  /** What the operator asked for. */
  readonly wanted: 'auto' | Strategy;
  /** What the operator wants less of. Default bytes. */
  readonly optimize?: 'bytes' | 'time';
  /** Why replay cannot be done at all; undefined when it can. */
  readonly noReplayBecause: string | undefined;
  /**
   * The replay is in virtual time, and comes out bit for bit, so that the log and proofs are all that travels; or why
   * it cannot, and what differs travels as well.
   */
  readonly virtualTime?: { readonly inexactBecause: string | undefined };
  /** The packed, sealed input log. */
  readonly logBytes: number;
  /** How long the replay will take at the chosen pacing, in seconds. */
  readonly replaySeconds: number;
  /** What shipping alone would send: residue and device state, as the differ estimates it. */
  readonly shipBytes: number;
  /** The part of it that stands for pages which the base cannot explain. */
  readonly unexplainedBytes: number;
  /** Fingerprints of those pages, and the answers. */
  readonly exchangeBytes: number;
  /** The link, where a limit or a measurement tells it. */
  readonly bytesPerSecond: number | undefined;
}

export interface Expectation {
  readonly bytes: number;
  /** Undefined while nothing is known about the link. */
  readonly seconds: number | undefined;
}

/** What a replay is expected to take off what is shipped, and what asking for it costs in the end. */
export interface Stakes {
  readonly savesBytes: number;
  readonly askingBytes: number;
}

export interface Plan {
  readonly strategy: Strategy;
  /** Why this one, for a person. */
  readonly reason: string;
  readonly ship: Expectation;
  readonly replay: Expectation;
  /** Undefined where the operator asked for a replay by name: then it goes on whatever it may save. */
  readonly stakes: Stakes | undefined;
}

/**
 * The share of the unexplained bytes that a replay under the host's clock takes off: 5 to 40 % in
 * trials. A cautious value, so that a replay that is chosen pays.
 */
const REPRODUCED_SHARE = 0.2;
/**
 * Shipping that takes less than this share of a replay's time has won before the race begins, and is better off without
 * the replay's load. Otherwise both run, and the faster one decides.
 */
const SURELY_FASTER = 0.7;

/** Everything but the log that an exact replay costs: the greeting, the plan, roots, the handoff. */
const EXACT_TALK_BYTES = 4096;

export function planMigration(facts: PlanFacts): Plan {
  const { bytesPerSecond, logBytes, exchangeBytes } = facts;
  const overLink = (bytes: number) =>
    bytesPerSecond === undefined ? undefined : bytes / bytesPerSecond;
  const shipSeconds = overLink(facts.shipBytes);
  const ship = { bytes: facts.shipBytes, seconds: shipSeconds };

  const saved = facts.unexplainedBytes * REPRODUCED_SHARE;
  const spent = logBytes + exchangeBytes;
  const { virtualTime } = facts;
  const isExact = virtualTime !== undefined && virtualTime.inexactBecause === undefined;
  const replayBytes = isExact
    ? logBytes + EXACT_TALK_BYTES
    : Math.max(0, Math.round(facts.shipBytes + spent - saved));
  const residueSeconds = overLink(replayBytes);
  const replay = {
    bytes: replayBytes,
    seconds: residueSeconds === undefined ? undefined : residueSeconds + facts.replaySeconds,
  };

  const inexact =
    virtualTime?.inexactBecause === undefined
      ? ''
      : `; in virtual time, but not exact: ${virtualTime.inexactBecause}`;
  const stakes =
    facts.wanted === 'replay' ? undefined : { savesBytes: saved, askingBytes: exchangeBytes };
  const decide = (strategy: Strategy, reason: string): Plan => ({
    ...{ strategy, reason, ship, replay, stakes },
  });
  if (facts.noReplayBecause !== undefined) return decide('ship', facts.noReplayBecause);
  if (facts.wanted !== 'auto')
    return decide(facts.wanted, `as asked${facts.wanted === 'replay' ? inexact : ''}`);
  if (facts.optimize === 'time' && shipSeconds !== undefined) {
    const wait = facts.replaySeconds;
    if (shipSeconds <= SURELY_FASTER * wait) {
      return decide(
        'ship',
        `shipping takes about ${shipSeconds.toFixed(1)} s, a replay alone ${wait.toFixed(1)} s`,
      );
    }
  }
  if (isExact) {
    return decide('replay', 'in virtual time a replay is exact, so that only the log travels');
  }
  if (saved <= spent) {
    return decide(
      'ship',
      `a replay would save about ${kilobytes(saved)} and cost ${kilobytes(spent)} of log and digests${inexact}`,
    );
  }
  return decide(
    'replay',
    `a replay is expected to save about ${kilobytes(saved - spent)} of ${kilobytes(facts.shipBytes)}${inexact}`,
  );
}

function kilobytes(bytes: number): string {
  return `${(bytes / 1000).toFixed(1)} kB`;
}
