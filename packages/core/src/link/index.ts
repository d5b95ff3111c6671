export * from './address.js';
export * from './link.js';
export * from './process-link.js';
export * from './rate-limit.js';
export * from './unix-link.js';
