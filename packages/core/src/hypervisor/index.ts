export * from './port.js';
export * from './virtual-clock.js';
export * from './qemu/index.js';
