import { openStore, parseRate } from '@reprise/core';

import { headOf, recordingOf, type Recording } from '../bytes/recording.js';
import { createRunDirectory } from '../fixture/index.js';
import { buildDigest } from '../measure/build-digest.js';
import { keepResult, readResult } from '../report/results-file.js';

import type { Behaviour } from './behaviour.js';
import {
  describeCase,
  type RaceLink,
  type RaceResult,
  type RaceTrial,
  type TrialKind,
} from './results.js';
import { raceSessions } from './sessions.js';
import { runTrial } from './trial-run.js';

export interface RaceBenchmarkOptions {
  readonly sessions: readonly string[];
  readonly links: readonly RaceLink[];
  readonly replays: readonly Behaviour[];
  /** Of each migration; medians count. */
  readonly repeats: number;
  /** What was measured so far, kept after each trial; a benchmark that was cut off goes on from there. */
  readonly file: string | undefined;
  readonly signal: AbortSignal;
  readonly onProgress: (text: string) => void;
}

interface Wanted {
  readonly kind: TrialKind;
  readonly replay: Behaviour | null;
}

/** What shipping sends does not depend on the link: one is enough. */
const BYTES_LINK = '100mbit' as const;

/** Each session on each link with each behaviour of the replay: shipping alone, replay alone, and the race. */
export async function runRaceBenchmark(options: RaceBenchmarkOptions): Promise<RaceResult> {
  const { signal, onProgress, links, replays, file } = options;
  const trials = [...((await readResult<RaceResult>(file, 2))?.trials ?? [])];
  const build = await buildDigest();
  const roots = new Map<string, string>();
  const result = (): RaceResult => {
    const current = trials.filter(
      (one) => one.build === build && roots.get(one.session) === one.recording,
    );
    const cases = [...roots.keys()].flatMap((session) =>
      links.flatMap((link) =>
        replays.flatMap((replay) => describeCase(current, session, link, replay) ?? []),
      ),
    );
    return { version: 2, build, cases, trials };
  };
  await using directory = await createRunDirectory();
  for (const session of raceSessions.filter(({ name }) => options.sessions.includes(name))) {
    const recording = await recordingOf(session, { signal, onProgress, replay: false });
    const root = await rootOf(recording);
    roots.set(session.name, root);
    const measure = async (link: RaceLink, { kind, replay }: Wanted, times: number) => {
      const done = trials.filter(
        (one) =>
          one.build === build &&
          one.recording === root &&
          one.link === link &&
          one.kind === kind &&
          one.replay === replay,
      ).length;
      if (done >= times) return;
      signal.throwIfAborted();
      onProgress(`${session.name}, ${link}: ${kind}${replay === null ? '' : `, ${replay} replay`}`);
      const about = { session: session.name, recording: root, build, link, kind, replay };
      trials.push({ ...about, ...(await moved(recording, directory.path, about, signal)) });
      await keepResult(file, result());
    };
    await measure(BYTES_LINK, { kind: 'ship-bytes', replay: null }, 1);
    for (const link of links) {
      // Round by round, so that what the host does meanwhile falls on all alike.
      for (let round = 1; round <= options.repeats; round++) {
        await measure(link, { kind: 'ship-time', replay: null }, round);
        for (const replay of replays) {
          // Waiting for one that hangs is long, and says the same each time.
          if (replay !== 'hanging' || round === 1)
            await measure(link, { kind: 'replay', replay }, round);
          await measure(link, { kind: 'race', replay }, round);
        }
      }
    }
  }
  return result();
}

async function rootOf({ a, vm }: Recording): Promise<string> {
  await using store = await openStore({ home: a });
  return (await headOf(store, vm)).root;
}

const HOW = {
  'ship-time': { strategy: 'ship', optimize: 'time' },
  'ship-bytes': { strategy: 'ship', optimize: 'bytes' },
  replay: { strategy: 'replay', optimize: 'bytes' },
  race: { strategy: 'auto', optimize: 'time' },
} as const;

async function moved(
  recording: Recording,
  directory: string,
  { link, kind, replay }: Pick<RaceTrial, 'link' | 'kind' | 'replay'>,
  signal: AbortSignal,
) {
  const { seconds, report } = await runTrial({
    ...{ recording, directory, behaviour: replay ?? 'normal', signal, ...HOW[kind] },
    bytesPerSecond: parseRate(link),
  });
  const { log, digests } = report.bytes.byClass;
  return {
    ...{ seconds, bytes: report.bytes.total, strategy: report.strategy },
    logBytes: log.sent + log.received,
    digestBytes: digests.sent + digests.received,
    outcome: report.replay?.outcome ?? null,
    ...(kind === 'race' && report.race !== undefined ? { fronts: report.race } : {}),
  };
}
