export { driverTable } from './driver-table.js';
export { memoryTable, runMemoryBenchmark } from './memory-benchmark.js';
export { runDriverBenchmark } from './driver-benchmark.js';
export { workloads } from './workload.js';
