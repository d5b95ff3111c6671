import { vmStatus, type HandoffState } from '@reprise/core';

import type { Context } from '../context.js';
import { bytes, short } from '../output/units.js';
import { table } from '../output/output.js';

/** `vm ls`: every VM of this host, and whether it may run here. */
export async function vmList(context: Context): Promise<void> {
  await using store = await context.openStore();
  const vms = await Promise.all(
    (await store.listVms()).map(async (vm) => {
      const running = (await vmStatus(context.home, vm.name)) !== undefined;
      const state = await store.lease.state(vm.name);
      const { occupied } = await store.describeVm(vm.name);
      return {
        name: vm.name,
        id: vm.id,
        state: running ? 'running' : describeState(state),
        head: vm.head?.root ?? null,
        occupiedBytes: occupied.total,
      };
    }),
  );
  context.output.result({ vms }, () =>
    vms.length === 0
      ? 'No VMs yet. Import one: reprise vm import NAME --disk IMAGE'
      : table(
          ['NAME', 'STATE', 'SNAPSHOT', 'ON DISK'],
          vms.map((vm) => [
            vm.name,
            vm.state,
            vm.head === null ? '-' : short(vm.head),
            bytes(vm.occupiedBytes),
          ]),
        ),
  );
}

export function describeState(state: HandoffState): string {
  switch (state.kind) {
    case 'absent':
      return 'unknown';
    case 'copy':
      return 'elsewhere';
    case 'holds':
      return state.running === null ? 'suspended' : 'running';
    case 'offering':
      return 'migrating';
    case 'released':
    case 'prepared':
      return 'handoff in doubt';
  }
}
