export * from './find-program.js';
export * from './owned-process.js';
