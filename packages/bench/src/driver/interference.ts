import { readFile } from 'node:fs/promises';

/** The unit of the processor times in /proc: USER_HZ, 100 on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;

/** One value, and how many processors others used while it was measured. */
export interface Observed<T> {
  readonly value: T;
  readonly othersUsed: number;
}

/**
 * Measures, and tells how many processors were meanwhile used by neither this process, nor its ended children,
 * nor the processes `pids`: by other programs, the kernel's own threads, or other guests of the same host (steal).
 */
export async function observe<T>(
  pids: readonly number[],
  measure: () => Promise<T>,
): Promise<Observed<T>> {
  const before = await othersTicks(pids);
  const startedMs = performance.now();
  const value = await measure();
  const seconds = (performance.now() - startedMs) / 1000;
  const ticks = (await othersTicks(pids)) - before;
  return { value, othersUsed: Math.max(0, ticks / TICKS_PER_SECOND / seconds) };
}

async function othersTicks(pids: readonly number[]): Promise<number> {
  const all = busyTicks(await readFile('/proc/stat', 'utf8'));
  const own = processTicks(await readFile('/proc/self/stat', 'utf8'), { withChildren: true });
  const servers = await Promise.all(
    pids.map(async (pid) =>
      processTicks(await readFile(`/proc/${String(pid)}/stat`, 'utf8'), { withChildren: false }),
    ),
  );
  return all - own - servers.reduce((sum, ticks) => sum + ticks, 0);
}

/** From /proc/stat: everything but idling, waiting for disks, and what is nice enough to give way. */
export function busyTicks(text: string): number {
  const [user = 0, , system = 0, , , irq = 0, softirq = 0, steal = 0] = numbersOf(
    text.slice('cpu'.length, text.indexOf('\n')),
  );
  return user + system + irq + softirq + steal;
}

/** From /proc/PID/stat, whose second field is a name that may hold anything. */
export function processTicks(text: string, o: { withChildren: boolean }): number {
  const fields = numbersOf(text.slice(text.lastIndexOf(')') + 4));
  const [user = 0, system = 0, childUser = 0, childSystem = 0] = fields.slice(10);
  return user + system + (o.withChildren ? childUser + childSystem : 0);
}

const numbersOf = (text: string): number[] => text.trim().split(/\s+/).map(Number);
