import { readFile } from 'node:fs/promises';

/** Linux counts CPU time in hundredths of a second for programs that ask. */
const TICKS_PER_SECOND = 100;

/** CPU seconds of a process with all its threads, since it began. */
export async function processCpuSeconds(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${String(pid)}/stat`, 'utf8');
  // The second field is a name that may hold anything but ends with the last parenthesis.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

/** The QEMU that holds the guest, of the supervisor's children. */
export async function guestProcess(supervisor: number): Promise<number> {
  const children = await readFile(
    `/proc/${String(supervisor)}/task/${String(supervisor)}/children`,
    'utf8',
  );
  for (const pid of children.trim().split(' ').map(Number)) {
    const command = await readFile(`/proc/${String(pid)}/cmdline`, 'utf8').catch(() => '');
    if (command.includes('qemu-system') && !command.includes('reprise-network')) return pid;
  }
  throw new Error(`The supervisor ${String(supervisor)} has no QEMU.`);
}
