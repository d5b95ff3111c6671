export {
  runBytesBenchmark,
  type BytesBenchmarkOptions,
  type BytesBenchmarkResult,
} from './bytes-benchmark.js';
export { writeWhole } from './kept-results.js';
export { bytesSessions } from './sessions.js';
