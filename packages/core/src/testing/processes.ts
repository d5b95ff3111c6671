import { readdir, readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

const GONE_TIMEOUT_MS = 60_000;

/** Processes whose parent is `pid`, with their command lines. */
export async function childrenOf(pid: number): Promise<{ pid: number; command: string }[]> {
  const found: { pid: number; command: string }[] = [];
  for (const entry of await readdir('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    const stat = await readFile(`/proc/${entry}/stat`, 'latin1').catch(() => undefined);
    const command = await readFile(`/proc/${entry}/cmdline`, 'latin1').catch(() => '');
    const parent = stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[1];
    if (parent === String(pid)) found.push({ pid: Number(entry), command });
  }
  return found;
}

/** Settles when none of them is there any more. */
export async function untilGone(pids: readonly number[]): Promise<void> {
  const alive = (pid: number) => {
    try {
      process.kill(pid, 0);
      return true;
    } catch {
      return false;
    }
  };
  const deadline = Date.now() + GONE_TIMEOUT_MS;
  while (pids.some(alive)) {
    if (Date.now() > deadline) throw new Error(`processes stay: ${pids.filter(alive).join(', ')}`);
    await sleep(50);
  }
}
