import { appendFile, readFile } from 'node:fs/promises';

/** What every line of the results file says of itself. */
interface Line {
  /** What was measured: see `subjectOf`. */
  readonly subject: string;
  readonly session: string;
  readonly run: number;
}

/** A session that was played in virtual time, and migrated. */
export interface VirtualRun extends Line {
  readonly kind: 'virtual';
  /** While every CPU of the host was busy. */
  readonly loaded: boolean;
  /** With nothing else of this benchmark beside it: its seconds can be compared. */
  readonly alone: boolean;
  /** Of virtual time. */
  readonly sessionSeconds: number;
  readonly wallSeconds: number;
  /** Of the guest's CPU, in the session. */
  readonly cpuSeconds: number;
  /** Real time that the host did not keep up with. */
  readonly lagSeconds: number;
  readonly diskRequests: number;
  /** The guest stood still for them, in all. */
  readonly diskSeconds: number;
  /** The replay alone came to the state; nothing of that was shipped. */
  readonly exact: boolean;
  /** RAM, disk and devices of both sides were compared byte by byte, beside the proof of every migration. */
  readonly compared: boolean;
  readonly notes: readonly string[];
  readonly bytesTotal: number;
  readonly log: number;
  readonly device: number;
  readonly digests: number;
  readonly control: number;
  /** Bytes of the network's frames in the log, before it was packed. */
  readonly frames: number;
  readonly replaySeconds: number;
  /** What others would have sent: once a session. */
  readonly rsyncZ?: number;
  readonly ship?: number;
}

/** The same session under the host's clock, where a replay is opportunistic. */
export interface HostClockRun extends Line {
  readonly kind: 'host-clock';
  readonly bytesTotal: number;
}

/** CPU seconds of one `make`, in virtual time and plainly emulated, one after the other. */
export interface SlowdownPair extends Line {
  readonly kind: 'slowdown';
  /** Of the whole of QEMU. */
  readonly virtualSeconds: number;
  readonly plainSeconds: number;
  /** Of the guest's CPU alone. */
  readonly virtualVcpuSeconds: number;
  readonly plainVcpuSeconds: number;
}

/** A run that came to nothing. It is tried again by the next benchmark, and stays on record. */
export interface FailedRun extends Line {
  readonly kind: 'failed';
  readonly of: FinishedRun['kind'];
  readonly because: string;
}

export type FinishedRun = VirtualRun | HostClockRun | SlowdownPair;
export type ResultLine = FinishedRun | FailedRun;

/** The lines of a file that may not exist; a torn last one was no finished run. */
export async function readResults(file: string): Promise<ResultLine[]> {
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw error;
  });
  return text
    .split('\n')
    .slice(0, -1)
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as ResultLine);
}

export async function appendResult(file: string, line: ResultLine): Promise<void> {
  await appendFile(file, `${JSON.stringify(line)}\n`);
}

/** Of each session the results of what was measured last: an older build's are no answer for this one. */
export function latestResults(lines: readonly ResultLine[]): ResultLine[] {
  const latest = new Map(lines.map(({ session, subject }) => [session, subject]));
  return lines.filter(({ session, subject }) => latest.get(session) === subject);
}
