/** Guests whose time counts instructions: whether they run here, and whether elsewhere alike. Above the supervisor: the test runs a guest. */
export {
  differenceBetween,
  identifyReplay,
  replayIdentity,
  type ReplayIdentity,
  type VirtualTimeIdentity,
} from './identity.js';
export {
  requireVirtualTime,
  virtualTimeReadiness,
  type Readiness,
  type ReadinessOptions,
} from './readiness.js';
export { runSelfTest, type SelfTestResult } from './self-test.js';
export { keepBusy } from './host-load.js';
