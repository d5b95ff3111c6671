import type { MigrationReport } from '@reprise/core';

import { spreadOf, type Spread } from '../report/statistics.js';

import type { Behaviour } from './behaviour.js';

export const raceLinks = ['1mbit', '5mbit', '25mbit', '100mbit'] as const;
export type RaceLink = (typeof raceLinks)[number];

/**
 * `ship-time`, `ship-bytes`: shipping alone, coded for time and for bytes. `replay`: replay alone and what it left,
 * with `--optimize bytes`. `race`: as the plan decides, with `--optimize time`.
 */
export const trialKinds = ['ship-time', 'ship-bytes', 'replay', 'race'] as const;
export type TrialKind = (typeof trialKinds)[number];

export type Fronts = NonNullable<MigrationReport['race']>;

/** One migration, and everything that it depended on. */
export interface RaceTrial {
  readonly session: string;
  /** The root of what was recorded, and the code that moved it. */
  readonly recording: string;
  readonly build: string;
  readonly link: RaceLink;
  readonly kind: TrialKind;
  /** Null for shipping alone. */
  readonly replay: Behaviour | null;
  readonly seconds: number;
  readonly bytes: number;
  /** Of these: the input log, and digests in both directions. */
  readonly logBytes: number;
  readonly digestBytes: number;
  readonly strategy: string;
  readonly outcome: string | null;
  /** Both fronts over time; of a race only. */
  readonly fronts?: Fronts;
}

export interface RaceCase {
  readonly session: string;
  readonly link: RaceLink;
  readonly replay: Behaviour;
  /** Medians; of the race also the fastest and the slowest. */
  readonly seconds: number;
  readonly secondsSpread: Spread;
  readonly shipSeconds: number;
  readonly replaySeconds: number | null;
  /** To the faster one of shipping alone and replay alone. */
  readonly timeRatioToBest: number;
  /** With `--optimize bytes`; what shipping sends; and that with the log and one exchange of digests on top. */
  readonly bytes: number | null;
  readonly shipBytes: number | null;
  readonly bytesBound: number | null;
  /** What the plan chose where time counts, and how the replay ended. */
  readonly strategy: string;
  readonly outcome: string | null;
  readonly repeats: number;
  readonly verdicts: { readonly time: Verdict; readonly bytes: Verdict };
  /** Of the race in the middle. */
  readonly fronts: Fronts;
}

export type Verdict = 'holds' | 'fails' | 'open';

export interface RaceResult {
  readonly version: 2;
  /** The build that `cases` are about; trials of another one are kept, and not counted. */
  readonly build: string;
  readonly cases: readonly RaceCase[];
  readonly trials: readonly RaceTrial[];
}

const MOST_TIME = 1.05;

/** A case from the trials that it stands on; undefined while one of them is missing. Only trials of one recording and build. */
export function describeCase(
  trials: readonly RaceTrial[],
  session: string,
  link: RaceLink,
  replay: Behaviour,
): RaceCase | undefined {
  const ofSession = trials.filter((one) => one.session === session);
  const own = (kind: TrialKind, of: Behaviour | null) =>
    ofSession.filter((one) => one.kind === kind && one.replay === of && one.link === link);
  const races = own('race', replay);
  const shipped = own('ship-time', null);
  const replays = own('replay', replay);
  if (races.length === 0 || shipped.length === 0) return undefined;
  const secondsSpread = secondsOf(races);
  const shipSeconds = secondsOf(shipped).median;
  // A replay that hangs has no time of its own: its end is our patience's.
  const replaySeconds =
    replay === 'hanging' || replays.length === 0 ? null : secondsOf(replays).median;
  const best = Math.min(shipSeconds, replaySeconds ?? Infinity);
  const bytes = bytesOf(replays);
  const shipBytes = bytesOf(ofSession.filter(({ kind }) => kind === 'ship-bytes'));
  const bytesBound = boundOf(replays, shipBytes);
  const timeRatioToBest = secondsSpread.median / best;
  const middle = races.find(({ seconds }) => seconds === secondsSpread.median);
  const { strategy = 'ship', outcome = null, fronts = [] } = middle ?? {};
  const isTimeKnown = replay === 'hanging' || replaySeconds !== null;
  return {
    ...{ session, link, replay, seconds: secondsSpread.median, secondsSpread },
    ...{ shipSeconds, replaySeconds, timeRatioToBest, bytes, shipBytes, bytesBound },
    ...{ strategy, outcome, repeats: races.length, fronts },
    verdicts: {
      time: isTimeKnown ? (timeRatioToBest <= MOST_TIME ? 'holds' : 'fails') : 'open',
      bytes:
        bytes === null || bytesBound === null ? 'open' : bytes <= bytesBound ? 'holds' : 'fails',
    },
  };
}

/** Shipping, the log, and one exchange of digests: more than that no replay may cost. */
function boundOf(replays: readonly RaceTrial[], shipBytes: number | null): number | null {
  if (replays.length === 0 || shipBytes === null) return null;
  const extra = replays.map(({ logBytes, digestBytes }) => logBytes + digestBytes);
  return shipBytes + spreadOf(extra).median;
}

function secondsOf(trials: readonly RaceTrial[]): Spread {
  return spreadOf(trials.map(({ seconds }) => seconds));
}

function bytesOf(trials: readonly RaceTrial[]): number | null {
  return trials.length === 0 ? null : spreadOf(trials.map(({ bytes }) => bytes)).median;
}
