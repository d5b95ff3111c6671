export { DEFAULT_SESSIONS, virtualSessions } from './sessions.js';
export { virtualTable } from './virtual-table.js';
export { runVirtualBenchmark, type VirtualBenchmark } from './virtual-benchmark.js';
