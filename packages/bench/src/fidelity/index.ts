export { fidelitySessionNames, runFidelityBenchmark } from './fidelity-benchmark.js';
export { fidelityTable } from './fidelity-table.js';
export type { FidelityResult } from './results.js';
