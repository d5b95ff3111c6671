export { behaviours, type Behaviour } from './behaviour.js';
export { racePlot } from './race-plot.js';
export { runRaceBenchmark } from './race-benchmark.js';
export { raceTable } from './race-table.js';
export { raceLinks, type RaceCase, type RaceLink, type RaceResult } from './results.js';
export { raceSessionNames } from './sessions.js';
