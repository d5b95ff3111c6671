export * from './port.js';
export * from './qemu/index.js';
