export * from './cleanup-stack.js';
export * from './find-program.js';
export * from './owned-process.js';
