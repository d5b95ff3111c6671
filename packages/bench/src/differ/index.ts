export { runDifferBenchmark, type DifferBenchmark } from './differ-benchmark.js';
export { differTable } from './differ-table.js';
