export { obstaclesToRun, qemuCapabilities, type QemuCapabilities } from './capabilities.js';
export { joinDeviceState, splitDeviceState, type DevicePages } from './device-pages.js';
export { probeAccelerator, type Accelerator, type ProbeResult } from './probe.js';
export { QEMU_PACKAGE, QEMU_PROGRAM } from './program.js';
export { QemuHypervisor } from './qemu.js';
