import { describeError, RepriseError } from '../errors.js';
import type { HypervisorVm } from '../hypervisor/index.js';
import type { SqueezeReport } from '../hypervisor/port.js';
import type { Machine } from '../machine/index.js';

/**
 * Squeezes a running guest that is about to stop, at a session's end and at a replay's: stale content of
 * free pages would only cost bytes. It is an economy, so whatever goes wrong with it is a remark, not a failure; only a
 * hypervisor that has gone away is.
 */
export async function squeezeBeforeStop(
  machine: Machine,
  vm: HypervisorVm,
  signal?: AbortSignal,
): Promise<SqueezeReport> {
  if (!machine.balloon) return { freedBytes: 0, because: 'the machine has no balloon' };
  // A replay under a virtual clock is exact as it is; a balloon moved from outside would not be.
  if (machine.clock === 'virtual') return { freedBytes: 0, because: 'its clock is virtual' };
  if (vm.squeeze === undefined) return { freedBytes: 0, because: 'its hypervisor cannot' };
  try {
    return await vm.squeeze(signal);
  } catch (error) {
    if (error instanceof RepriseError && error.code === 'HYPERVISOR_GONE') throw error;
    signal?.throwIfAborted();
    return { freedBytes: 0, because: describeError(error) };
  }
}
