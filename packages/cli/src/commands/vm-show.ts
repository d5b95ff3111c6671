import { lastRehearsal, vmStatus } from '@reprise/core';

import type { Context } from '../context.js';
import { table } from '../output/output.js';
import { bytes, seconds, short } from '../output/units.js';

import { describe } from './rehearse.js';
import { describeState } from './vm-list.js';

/** `vm show`: one VM with its machine, snapshots, peers, and what it occupies. */
export async function vmShow(context: Context, name: string): Promise<void> {
  await using store = await context.openStore();
  const description = await store.describeVm(name);
  const lease = await store.lease.state(name);
  const status = await vmStatus(context.home, name);
  const rehearsal = await lastRehearsal(store, name);
  const { vm, machine, snapshots, peers, occupied } = description;
  context.output.result(
    {
      ...{ vm, machine, lease, status: status ?? null, snapshots, peers, occupied },
      rehearsal: rehearsal ?? null,
    },
    () =>
      [
        table(
          ['', ''],
          [
            ['name', vm.name],
            [
              'state',
              status === undefined ? describeState(lease) : `running, console at ${status.console}`,
            ],
            ['machine', `${machine.machineType}, ${machine.cpuModel}, ${machine.accelerator}`],
            ['memory', bytes(machine.memoryMiB * 1024 * 1024)],
            ['disk', bytes(machine.diskBytes)],
            [
              'on disk',
              `${bytes(occupied.total)} (bases ${bytes(occupied.bases)}, layers ${bytes(occupied.layers)}, snapshots ${bytes(occupied.snapshots)})`,
            ],
            ...(status?.diskRequests === undefined
              ? []
              : [
                  [
                    'waited for disk',
                    `${seconds((status.diskMs ?? 0) / 1000)} in ${String(status.diskRequests)} requests of this session`,
                  ],
                ]),
            ...(rehearsal === undefined
              ? []
              : [
                  [
                    'rehearsed',
                    `${rehearsal.at.slice(0, 19).replace('T', ' ')}: ${describe(rehearsal)}`,
                  ],
                ]),
            ['known to', peers.map((peer) => peer.label ?? peer.hostId).join(', ') || '-'],
          ],
        ).trimStart(),
        '',
        table(
          ['SNAPSHOT', 'TAKEN', 'SESSION', 'RAM PAGES', 'DISK BLOCKS', ''],
          snapshots.map(({ root, manifest }) => [
            short(root),
            manifest.createdAt.slice(0, 19).replace('T', ' '),
            manifest.session === null ? '-' : seconds(manifest.session.durationMs / 1000),
            manifest.changed === null ? 'all' : String(manifest.changed.ramPages),
            manifest.changed === null ? 'all' : String(manifest.changed.diskBlocks),
            root === vm.head?.root ? 'head' : '',
          ]),
        ),
      ].join('\n'),
  );
}
