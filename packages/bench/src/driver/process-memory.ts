import { readFile } from 'node:fs/promises';

/** What of a process is in memory. */
export interface ProcessMemory {
  /** Its own pages: heap, stacks, private mappings. */
  readonly privateBytes: number;
  /** Pages of mapped files, which the kernel may write back and drop. */
  readonly mappedBytes: number;
}

export async function processMemory(pid: number): Promise<ProcessMemory> {
  const status = await readFile(`/proc/${String(pid)}/status`, 'utf8');
  return {
    privateBytes: kibibytes(status, 'RssAnon') * 1024,
    mappedBytes: (kibibytes(status, 'RssFile') + kibibytes(status, 'RssShmem')) * 1024,
  };
}

function kibibytes(status: string, field: string): number {
  const found = new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1];
  if (found === undefined) throw new Error(`The kernel does not tell ${field} of a process.`);
  return Number(found);
}
