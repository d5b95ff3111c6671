/**
 * What the benchmark, the demo and the end-to-end tests share: guests to try reprise with, scripted
 * users, and other tools to compare it with.
 *
 * @packageDocumentation
 */
export * from './baseline/index.js';
export * from './fixture/index.js';
export * from './session/index.js';
