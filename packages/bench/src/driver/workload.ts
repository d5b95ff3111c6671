/** What fio is asked to do, and in which of its figures the answer stands. */
export interface Workload {
  readonly name: string;
  readonly rw: 'randread' | 'randwrite' | 'read' | 'write';
  readonly blockSize: '4k' | '1m';
  /** Requests that the client keeps in flight. */
  readonly depth: number;
  readonly figure: 'operations/s' | 'bytes/s';
}

const small = { blockSize: '4k', figure: 'operations/s' } as const;
const large = { blockSize: '1m', depth: 4, figure: 'bytes/s' } as const;

export const workloads: readonly Workload[] = [
  { name: 'random read 4 KiB, depth 1', rw: 'randread', depth: 1, ...small },
  { name: 'random read 4 KiB, depth 32', rw: 'randread', depth: 32, ...small },
  { name: 'random write 4 KiB, depth 1', rw: 'randwrite', depth: 1, ...small },
  { name: 'random write 4 KiB, depth 32', rw: 'randwrite', depth: 32, ...small },
  { name: 'sequential read 1 MiB', rw: 'read', ...large },
  { name: 'sequential write 1 MiB', rw: 'write', ...large },
];
