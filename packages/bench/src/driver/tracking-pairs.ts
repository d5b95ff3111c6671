import { join } from 'node:path';
import { mkdir, rm } from 'node:fs/promises';

import { startOurs, type Contender } from './contender.js';
import { fill, measure, type FioOptions } from './fio.js';
import type { QuietMeasurements } from './quiet-measurements.js';
import type { Workload } from './workload.js';

/** Figures of one workload with tracking on and off, measured one right after the other. */
export interface TrackingPair {
  readonly tracked: number;
  readonly untracked: number;
}

export interface TrackingOptions {
  readonly base: string;
  readonly directory: string;
  readonly sockets: string;
  readonly sizeBytes: number;
  readonly pairs: number;
  /** How often both servers are started anew, with overlays of their own. */
  readonly sets: number;
  readonly cores: number;
  readonly fio: FioOptions;
  readonly signal?: AbortSignal | undefined;
}

/**
 * What tracking costs, in many short pairs: on and off back to back, in alternating order, so that what the machine
 * does slowly falls on both. Where a server's threads and an overlay's pages happen to lie does not change while
 * it runs; therefore the servers are started anew several times, by turns the one and the other first. The server has
 * a processor of its own and so has fio: then nothing is gained or lost by where a run happens to be placed, and what
 * tracking does on other threads is paid for on the server's.
 */
export async function measureTracking(
  workloads: readonly Workload[],
  quiet: QuietMeasurements,
  o: TrackingOptions,
  onProgress: (text: string) => void,
): Promise<TrackingPair[][]> {
  const collected = workloads.map((): TrackingPair[] => []);
  const sets = Math.min(o.sets, o.pairs);
  for (let set = 0; set < sets; set++) {
    const until = Math.round((o.pairs * (set + 1)) / sets);
    const from = Math.round((o.pairs * set) / sets);
    onProgress(`tracking on and off: set ${String(set + 1)} of ${String(sets)}`);
    await using servers = await startPair(o, set);
    for (let pair = from; pair < until; pair++) {
      for (const [index, workload] of workloads.entries()) {
        collected[index]?.push(await measurePair(servers, workload, quiet, o, pair));
      }
    }
  }
  return collected;
}

interface PairOfServers extends AsyncDisposable {
  readonly tracked: Contender;
  readonly untracked: Contender;
}

async function startPair(o: TrackingOptions, set: number): Promise<PairOfServers> {
  const directory = join(o.directory, 'pair');
  await mkdir(directory);
  const started: Contender[] = [];
  const end = async (): Promise<void> => {
    for (const server of started) await server[Symbol.asyncDispose]();
    await rm(directory, { recursive: true });
  };
  const start = async (tracking: boolean): Promise<Contender> => {
    const cpu = o.cores < 2 ? undefined : o.cores - 1;
    const ours = { directory, sockets: o.sockets, sizeBytes: o.sizeBytes, signal: o.signal, cpu };
    const server = await startOurs(o.base, { ...ours, tracking });
    started.push(server);
    await fill(server.uri, o.sizeBytes, o.signal);
    return server;
  };
  try {
    const first = await start(set % 2 === 0);
    const second = await start(set % 2 === 1);
    const [tracked, untracked] = set % 2 === 0 ? [first, second] : [second, first];
    return { tracked, untracked, [Symbol.asyncDispose]: end };
  } catch (error) {
    await end();
    throw error;
  }
}

function measurePair(
  { tracked, untracked }: PairOfServers,
  workload: Workload,
  quiet: QuietMeasurements,
  o: TrackingOptions,
  pair: number,
): Promise<TrackingPair> {
  const fio = o.cores < 2 ? o.fio : { ...o.fio, cpu: 0 };
  const on = () => measure(tracked.uri, workload, fio);
  const off = () => measure(untracked.uri, workload, fio);
  return quiet.take([tracked.pid, untracked.pid], async () => {
    if (pair % 2 === 0) {
      const first = await on();
      return { tracked: first, untracked: await off() };
    }
    const first = await off();
    return { untracked: first, tracked: await on() };
  });
}
