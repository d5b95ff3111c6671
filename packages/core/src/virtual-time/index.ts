/** Guests whose time counts instructions: whether they run here, and how input reaches them. */
export { deviceInputs, msOfNs, nsOfMs, toSessionMark } from './device-input.js';
export {
  differenceBetween,
  identifyVirtualTime,
  virtualTimeIdentity,
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
