export {
  runBytesBenchmark,
  type BytesBenchmarkOptions,
  type BytesBenchmarkResult,
} from './bytes-benchmark.js';
export { writeWhole } from './kept-results.js';
export { UNKNOWN } from './positions.js';
export { headOf, recordingOf } from './recording.js';
export { bytesSessions } from './sessions.js';
