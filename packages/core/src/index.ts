/**
 * reprise for integrators: keep VMs in a store, run them, and move them between hosts over thin links.
 *
 * Start with {@link openStore} and {@link startVm}; {@link seed} a base to another host once, then
 * {@link migrate} as often as you like. The other host answers with {@link receive}.
 *
 * @packageDocumentation
 */
export { errorCodes, RepriseError, type ErrorCode } from './errors.js';
export {
  machineDigest,
  machineSchema,
  parseMachine,
  type Machine,
  type MachineInput,
} from './machine/index.js';
export {
  obstaclesToRun,
  probeAccelerator,
  qemuCapabilities,
  type Accelerator,
  type ProbeResult,
  type QemuCapabilities,
} from './hypervisor/index.js';
export {
  encodePng,
  keystroke,
  keysym,
  RfbClient,
  type Frame,
  type KeyName,
  type RfbClientOptions,
} from './console/index.js';
export { ByEvidence, readInputLog, RecordedGaps, type InputLog } from './input/index.js';
export { type HandoffState, type Lease } from './lease/index.js';
export {
  connectUnix,
  listenUnix,
  parseAddress,
  parseRate,
  type Address,
  type Link,
  type SshOptions,
} from './link/index.js';
export { stdioLink } from './link/stdio-link.js';
export { byteClasses, type ByteClass, type ByteTotals } from './protocol/index.js';
export {
  freeBytes as freeBytesOf,
  openStore,
  resolveHome,
  type Snapshot,
  type SnapshotStore,
  type Verification,
  type VmDescription,
  type VmRecord,
} from './snapshot/index.js';
export {
  bootFilesOf,
  discardSession,
  measureInputLatency,
  PoweredVm,
  runtimeDirectory,
  screenshotVm,
  startVm,
  suspendVm,
  vmStatus,
  type InputLatency,
  type StartVmOptions,
  type VmStatus,
} from './supervisor/index.js';
export { CAUSALITY_MS, effectPolicies, effectRulesPath, type EffectPolicy } from './gate/index.js';
// For laboratories that measure the stages one by one.
export {
  changeBetween,
  diskImage,
  packDevice,
  replayedState,
  runsBelow,
  wholeStateOf,
  type Change,
} from './state/index.js';
export * from './migration/index.js';
export {
  keepBusy,
  virtualTimeReadiness,
  type Readiness,
  type ReadinessOptions,
} from './virtual-time/index.js';
export { SOFTWARE } from './version.js';

// Everything that the signatures above mention, so that an integrator can name it.
export type * from './console/index.js';
export type * from './gate/index.js';
export type { GuestProgress } from './hypervisor/port.js';
export type * from './hypervisor/port.js';
export type * from './input/index.js';
export type * from './lease/index.js';
export type * from './snapshot/index.js';
export type * from './supervisor/index.js';
