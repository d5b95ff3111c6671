import { ExclusiveLock } from '../lease/index.js';
import { recoverCommit } from './commit.js';
import type { StoreContext } from './context.js';
import type { VmLayout } from './layout.js';
import { exists, vmUnknown } from './vm-files.js';

/**
 * Copying or digesting a large RAM takes a while, and a lock whose owner died is never waited for; more than this is
 * worth telling the operator.
 */
const VM_LOCK_TIMEOUT_MS = 180_000;
export const VM_LOCK = 'store';

/**
 * Runs `work` while no other process changes the VM's part of the store, and after finishing a commit that a crash left.
 * Throws VM_UNKNOWN, VM_BUSY, CANCELLED.
 */
export async function withVm<T>(
  context: StoreContext,
  name: string,
  signal: AbortSignal | undefined,
  work: (vm: VmLayout) => Promise<T>,
): Promise<T> {
  const vm = context.layout.vm(name);
  if (!(await exists(vm.record))) throw vmUnknown(name);
  const options = { timeoutMs: VM_LOCK_TIMEOUT_MS, signal };
  return ExclusiveLock.during(vm.directory, VM_LOCK, options, async () => {
    await recoverCommit(vm);
    return work(vm);
  });
}
