import { spreadOf, type Spread } from '../report/statistics.js';

import type { HostClockRun, ResultLine, SlowdownPair, VirtualRun } from './results.js';

/** A session's runs in one line of the result. Bytes and seconds are medians over the runs unless they say more. */
export interface VirtualSummary {
  readonly name: string;
  readonly runs: number;
  readonly loadedRuns: number;
  readonly identical: number;
  /** Runs whose sides were also compared byte by byte; adoption and a proved root vouch for the others. */
  readonly compared: number;
  readonly bytesTotal: number;
  readonly bytesSpread: Spread;
  readonly log: number;
  readonly frames: number;
  readonly device: number;
  readonly digests: number;
  readonly control: number;
  readonly rsyncZ: number | null;
  readonly ship: number | null;
  /** What the same session costs with an opportunistic replay, under the host's clock. */
  readonly opportunistic: number | null;
  readonly replaySeconds: number;
  readonly sessionSeconds: number;
  /** Of the runs that had the host to themselves. */
  readonly alone: {
    readonly runs: number;
    /** The share of the session in which the guest used no CPU. */
    readonly idleShare: number;
    /** Seconds of the replay / seconds of the session: the worst. */
    readonly replayShare: number;
  } | null;
  readonly lagSeconds: Spread;
  readonly diskRequests: number;
  readonly diskSeconds: number;
  readonly guestSlowdown: number | null;
  readonly slowdown: Slowdown | null;
  /** Why runs came to nothing. */
  readonly failures: readonly string[];
  readonly notes: readonly string[];
}

/** CPU time in virtual time / plainly emulated, less one, over the pairs. */
export interface Slowdown {
  readonly pairs: number;
  /** Of the whole of QEMU. */
  readonly qemu: Spread;
  /** Of the guest's CPU alone. */
  readonly vcpu: Spread;
}

/** Undefined where the session has no finished run. */
export function summarize(name: string, lines: readonly ResultLine[]): VirtualSummary | undefined {
  const own = lines.filter(({ session }) => session === name);
  const runs = own.filter((line): line is VirtualRun => line.kind === 'virtual');
  const failures = own.flatMap((line) =>
    line.kind === 'failed' ? [`${line.of}, run ${String(line.run)}: ${line.because}`] : [],
  );
  if (runs.length === 0) return undefined;
  const middle = (of: (run: VirtualRun) => number) => spreadOf(runs.map(of)).median;
  const slowdown = slowdownOf(own.filter((line): line is SlowdownPair => line.kind === 'slowdown'));
  const hostClock = own.filter((line): line is HostClockRun => line.kind === 'host-clock');
  return {
    ...{ name, runs: runs.length, failures },
    loadedRuns: runs.filter(({ loaded }) => loaded).length,
    identical: runs.filter(({ exact }) => exact).length,
    compared: runs.filter(({ compared }) => compared).length,
    bytesTotal: middle((run) => run.bytesTotal),
    bytesSpread: spreadOf(runs.map((run) => run.bytesTotal)),
    log: middle((run) => run.log),
    frames: middle((run) => run.frames),
    device: middle((run) => run.device),
    digests: middle((run) => run.digests),
    control: middle((run) => run.control),
    rsyncZ: runs.find((run) => run.rsyncZ !== undefined)?.rsyncZ ?? null,
    ship: runs.find((run) => run.ship !== undefined)?.ship ?? null,
    opportunistic:
      hostClock.length === 0 ? null : spreadOf(hostClock.map((run) => run.bytesTotal)).median,
    replaySeconds: middle((run) => run.replaySeconds),
    sessionSeconds: middle((run) => run.sessionSeconds),
    alone: aloneOf(runs.filter(({ alone, loaded }) => alone && !loaded)),
    lagSeconds: spreadOf(runs.map((run) => run.lagSeconds)),
    diskRequests: middle((run) => run.diskRequests),
    diskSeconds: middle((run) => run.diskSeconds),
    guestSlowdown: slowdown?.qemu.median ?? null,
    slowdown,
    notes: [...new Set(runs.flatMap(({ notes }) => notes))],
  };
}

function aloneOf(runs: readonly VirtualRun[]): VirtualSummary['alone'] {
  if (runs.length === 0) return null;
  return {
    runs: runs.length,
    idleShare: spreadOf(runs.map((run) => 1 - run.cpuSeconds / run.wallSeconds)).median,
    replayShare: spreadOf(runs.map((run) => run.replaySeconds / run.sessionSeconds)).max,
  };
}

function slowdownOf(pairs: readonly SlowdownPair[]): Slowdown | null {
  if (pairs.length === 0) return null;
  return {
    pairs: pairs.length,
    qemu: spreadOf(pairs.map((pair) => pair.virtualSeconds / pair.plainSeconds - 1)),
    vcpu: spreadOf(pairs.map((pair) => pair.virtualVcpuSeconds / pair.plainVcpuSeconds - 1)),
  };
}
