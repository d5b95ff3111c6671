export { runDriverBenchmark } from './driver-benchmark.js';
export { driverTable } from './driver-table.js';
export { workloads } from './workload.js';
