export { measureFullCopy } from './full-copy.js';
export { measureRsync } from './rsync.js';
export { runProgram } from './run-program.js';
export type { StateFiles, Traffic } from './state-files.js';
