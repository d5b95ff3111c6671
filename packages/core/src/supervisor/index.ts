export { measureInputLatency, type InputLatency } from './input-latency.js';
export type { VmStatus } from './control.js';
export { PoweredVm, type PowerOnOptions } from './powered-vm.js';
export { bootFilesOf } from './boot-files.js';
export { deviceInputs, msOfNs, nsOfMs, toSessionMark } from './device-input.js';
export { runtimeDirectory } from './runtime-directory.js';
export type { LeftoverPolicy } from './session-copy.js';
export {
  discardSession,
  screenshotVm,
  startVm,
  suspendVm,
  vmStatus,
  type StartVmOptions,
} from './start.js';
export { squeezeBeforeStop } from './squeeze.js';
