export {
  runBytesBenchmark,
  type BytesBenchmarkOptions,
  type BytesBenchmarkResult,
} from './bytes-benchmark.js';
export { bytesSessions } from './sessions.js';
