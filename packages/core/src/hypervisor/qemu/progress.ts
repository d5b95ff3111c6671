import { readFile } from 'node:fs/promises';

import type { QmpClient } from './qmp.js';

/** The kernel counts process times in ticks of 10 ms where it does not count them in nanoseconds. */
const MS_PER_TICK = 10;
const NS_PER_MS = 1e6;

export interface CpuTimes {
  readonly cpuMs: number;
  /** Absent on a kernel that does not account for waiting. */
  readonly starvedMs?: number;
}

/** What the threads of a process have used, and how long they waited for a CPU. */
export async function cpuTimes(processId: number, threads: readonly number[]): Promise<CpuTimes> {
  let cpuMs = 0;
  let starvedMs = 0;
  let known = true;
  for (const thread of threads) {
    const task = `/proc/${String(processId)}/task/${String(thread)}`;
    const schedule = await readFile(`${task}/schedstat`, 'latin1').catch(() => '');
    const [ran, waited] = schedule.split(' ').map(Number);
    if (ran !== undefined && waited !== undefined && ran > 0) {
      cpuMs += ran / NS_PER_MS;
      starvedMs += waited / NS_PER_MS;
    } else {
      cpuMs += await ticks(`${task}/stat`);
      known = false;
    }
  }
  return known ? { cpuMs, starvedMs } : { cpuMs };
}

/** User and system time of a thread, from fields 14 and 15 of its stat line. */
async function ticks(statPath: string): Promise<number> {
  const line = await readFile(statPath, 'latin1');
  const fields = line.slice(line.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * MS_PER_TICK;
}

interface BlockStatistics {
  readonly stats: Readonly<Record<string, unknown>>;
}

const QUICKLY = { timeoutMs: 2000 };
const counters = ['rd_operations', 'wr_operations', 'flush_operations', 'unmap_operations'];

/** Requests of the guest's disks that were answered. */
export async function diskRequests(qmp: QmpClient): Promise<number> {
  const devices = (await qmp.execute(
    'query-blockstats',
    {},
    QUICKLY,
  )) as readonly BlockStatistics[];
  let sum = 0;
  for (const { stats } of devices) {
    for (const counter of counters) sum += Number(stats[counter] ?? 0);
  }
  return sum;
}
