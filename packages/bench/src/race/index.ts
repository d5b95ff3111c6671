export { behaviours, type Behaviour } from './behaviour.js';
export { racePlot } from './race-plot.js';
export {
  raceLinks,
  raceTable,
  runRaceBenchmark,
  type RaceCase,
  type RaceLink,
  type RaceResult,
} from './race-benchmark.js';
