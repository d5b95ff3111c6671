export { runEffectsBenchmark } from './effects-benchmark.js';
export { effectsTable, ROUNDS_WANTED } from './results.js';
