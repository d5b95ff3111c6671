import type { StoreContext } from './context.js';
import { writeHead } from './commit.js';
import type { VmLayout } from './layout.js';
import type { Head } from './records.js';
import { readVm, requireSnapshot } from './vm-files.js';

/**
 * The head follows the lease: what was handed over (the `root` that came with the token) is the head as soon as it is owned, even where
 * a crash came in between. A session's own commits carry the token they were made under, so they are never rolled back.
 */
export async function settleHead(
  context: StoreContext,
  vm: VmLayout,
  seeded?: string,
): Promise<void> {
  const state = await context.lease.state(vm.name);
  if (state.kind === 'absent') return;
  const { lineage, token } = state;
  const root = state.kind === 'holds' ? state.root : state.kind === 'copy' ? seeded : undefined;
  if (root === undefined || root === null) return;
  const { head } = await readVm(vm);
  const isSettled = head?.lineage === lineage && head.token >= token;
  if (isSettled && (state.kind === 'holds' || head.root === root)) return;
  await requireSnapshot(vm, root); // never fall back to an older head
  await writeHead(vm, { root, lineage, token });
}

/** The head that a commit of the running session makes; null: this host may not make one. */
export async function headUnderLease(
  context: StoreContext,
  vm: VmLayout,
  root: string,
): Promise<Head | null> {
  const state = await context.lease.state(vm.name);
  if (state.kind !== 'holds') return null;
  return { root, lineage: state.lineage, token: state.token };
}
