export {
  fidelitySessionNames,
  fidelityTable,
  runFidelityBenchmark,
  type FidelityResult,
} from './fidelity-benchmark.js';
