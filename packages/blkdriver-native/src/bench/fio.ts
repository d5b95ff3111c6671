import { runOk } from '../testing/run.js';

/** What fio is asked to do, and in which of its figures the answer stands. */
export interface Workload {
  readonly name: string;
  readonly rw: 'randread' | 'randwrite' | 'read' | 'write';
  readonly blockSize: '4k' | '1m';
  readonly depth: number;
  readonly figure: 'iops' | 'bytesPerSecond';
}

export const workloads: readonly Workload[] = [
  { name: 'random read 4 KiB, depth 1', rw: 'randread', blockSize: '4k', depth: 1, figure: 'iops' },
  {
    name: 'random read 4 KiB, depth 32',
    rw: 'randread',
    blockSize: '4k',
    depth: 32,
    figure: 'iops',
  },
  {
    name: 'random write 4 KiB, depth 1',
    rw: 'randwrite',
    blockSize: '4k',
    depth: 1,
    figure: 'iops',
  },
  {
    name: 'random write 4 KiB, depth 32',
    rw: 'randwrite',
    blockSize: '4k',
    depth: 32,
    figure: 'iops',
  },
  {
    name: 'sequential read 1 MiB',
    rw: 'read',
    blockSize: '1m',
    depth: 4,
    figure: 'bytesPerSecond',
  },
  {
    name: 'sequential write 1 MiB',
    rw: 'write',
    blockSize: '1m',
    depth: 4,
    figure: 'bytesPerSecond',
  },
];

interface FioDirection {
  iops: number;
  bw_bytes: number;
}

/** Runs one workload once; operations or bytes per second. */
export async function measure(
  uri: string,
  workload: Workload,
  sizeBytes: bigint,
  seconds: number,
): Promise<number> {
  const output = await runOk('fio', [
    ...['--name=bench', '--ioengine=nbd', `--uri=${uri}`, `--size=${sizeBytes}`],
    ...[`--rw=${workload.rw}`, `--bs=${workload.blockSize}`, `--iodepth=${workload.depth}`],
    ...['--time_based', `--runtime=${seconds}`, '--randrepeat=1', '--norandommap'],
    '--output-format=json',
  ]);
  const report = JSON.parse(output.slice(output.indexOf('{'))) as {
    jobs: { read: FioDirection; write: FioDirection }[];
  };
  const job = report.jobs[0];
  if (job === undefined) throw new Error('fio reported no job');
  const direction = workload.rw.endsWith('read') ? job.read : job.write;
  return workload.figure === 'iops' ? direction.iops : direction.bw_bytes;
}

/** Writes the whole image once, so that no later write has to allocate. */
export async function fill(uri: string, sizeBytes: bigint): Promise<void> {
  await runOk('fio', [
    ...['--name=fill', '--ioengine=nbd', `--uri=${uri}`, `--size=${sizeBytes}`],
    ...['--rw=write', '--bs=1m', '--iodepth=4', '--end_fsync=1'],
  ]);
}
