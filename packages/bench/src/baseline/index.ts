export { measureFullCopy } from './full-copy.js';
export { measureRsync, type RsyncOptions } from './rsync.js';
export { runProgram, type RunOptions } from './run-program.js';
export type { StateFiles, StateTraffic, Traffic } from './state-files.js';
