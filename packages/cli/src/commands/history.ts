import { migrationHistory } from '@reprise/core';

import type { Context } from '../context.js';
import { table } from '../output/output.js';
import { bytes, seconds } from '../output/units.js';

/** `history`: where a VM has been, and what each move cost. */
export async function history(context: Context, name: string): Promise<void> {
  await using store = await context.openStore();
  const migrations = await migrationHistory(store, name);
  const lease = await store.lease.history(name);
  context.output.result({ migrations, lease }, () =>
    [
      migrations.length === 0
        ? 'No migration from here yet.'
        : table(
            ['WHEN', 'TO', 'STRATEGY', 'BYTES', 'TIME', 'RAM PAGES', 'DISK BLOCKS'],
            migrations.map((m) => [
              m.startedAt.slice(0, 19).replace('T', ' '),
              m.peer,
              m.strategy,
              bytes(m.bytes.total),
              seconds(m.seconds.total),
              String(m.residue.ramPages),
              String(m.residue.diskBlocks),
            ]),
          ),
      '',
      table(
        ['WHEN', 'WHO MAY RUN IT'],
        lease.map(({ at, record }) => [
          at.slice(0, 19).replace('T', ' '),
          record.type.toLowerCase(),
        ]),
      ),
    ].join('\n'),
  );
}
