import { runProgram } from '../baseline/index.js';

import type { Workload } from './workload.js';

interface FioDirection {
  readonly iops: number;
  readonly bw_bytes: number;
}

interface FioReport {
  readonly jobs: readonly { readonly read: FioDirection; readonly write: FioDirection }[];
}

export interface FioOptions {
  readonly sizeBytes: number;
  /** How long requests are counted; `rampMs` more go before it, uncounted. */
  readonly runtimeMs: number;
  readonly rampMs: number;
  /** The processor that the client is kept on. */
  readonly cpu?: number;
  readonly signal?: AbortSignal | undefined;
}

/** Runs one workload over one connection; operations or bytes per second. */
export async function measure(uri: string, workload: Workload, o: FioOptions): Promise<number> {
  const output = await runProgram(
    'fio',
    [
      ...['--name=bench', '--ioengine=nbd', `--uri=${uri}`, `--size=${String(o.sizeBytes)}`],
      ...[`--rw=${workload.rw}`, `--bs=${workload.blockSize}`],
      ...[`--iodepth=${String(workload.depth)}`, '--randrepeat=1', '--norandommap'],
      ...[
        '--time_based',
        `--runtime=${String(o.runtimeMs)}ms`,
        `--ramp_time=${String(o.rampMs)}ms`,
      ],
      ...(o.cpu === undefined ? [] : [`--cpus_allowed=${String(o.cpu)}`]),
      ...['--thread', '--output-format=json'],
    ],
    o.signal === undefined ? {} : { signal: o.signal },
  );
  const report = JSON.parse(output.slice(output.indexOf('{'))) as FioReport;
  const job = report.jobs[0];
  if (job === undefined) throw new Error('fio reported no job. Run it by hand to see why.');
  const direction = workload.rw.endsWith('read') ? job.read : job.write;
  return workload.figure === 'operations/s' ? direction.iops : direction.bw_bytes;
}

/** Writes the whole disk once, so that no later write has to allocate and every read is cached. */
export async function fill(uri: string, sizeBytes: number, signal?: AbortSignal): Promise<void> {
  await runProgram(
    'fio',
    [
      ...['--name=fill', '--ioengine=nbd', `--uri=${uri}`, `--size=${String(sizeBytes)}`],
      ...['--rw=write', '--bs=1m', '--iodepth=4', '--end_fsync=1'],
    ],
    signal === undefined ? {} : { signal },
  );
}

/** So many 4 KiB writes at random places, 32 at a time. */
export async function writeRandomly(
  uri: string,
  o: { sizeBytes: number; count: number; signal?: AbortSignal | undefined },
): Promise<void> {
  await runProgram(
    'fio',
    [
      ...['--name=writes', '--ioengine=nbd', `--uri=${uri}`, `--size=${String(o.sizeBytes)}`],
      ...['--rw=randwrite', '--bs=4k', '--iodepth=32', '--norandommap'],
      ...[`--io_size=${String(o.count * 4096)}`, '--thread', '--output-format=json'],
    ],
    o.signal === undefined ? {} : { signal: o.signal },
  );
}
