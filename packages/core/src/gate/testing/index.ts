/** For tests and benchmarks that look at a guest's network from outside. */
export { startCountingServers, type CountingServers } from './counting-servers.js';
export { inOwnNetwork } from './isolated-network.js';
export { capturePackets, mayCapture } from './loopback-capture.js';
