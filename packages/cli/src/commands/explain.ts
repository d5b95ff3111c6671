import { explainMigration, residueKinds, type Explanation, type ResidueKind } from '@reprise/core';

import type { Context } from '../context.js';
import { withSpinner } from '../output/spinner.js';
import { table } from '../output/output.js';
import { bytes, short } from '../output/units.js';

/** `explain`: what the residue of a migration was made of. */
export async function explain(
  context: Context,
  name: string,
  migration: string | undefined,
): Promise<void> {
  await using store = await context.openStore();
  const explanation = await withSpinner(context.output, 'comparing the two snapshots', () =>
    explainMigration({
      ...{ store, name, signal: context.signal },
      ...(migration === undefined ? {} : { migration }),
    }),
  );
  context.output.result(explanation, () => describe(explanation));
}

function describe({ base, target, report, ram, disk, advice, migration }: Explanation): string {
  const kinds = Object.keys(residueKinds) as ResidueKind[];
  const row = (kind: ResidueKind): string[] => [
    residueKinds[kind],
    String(ram[kind].pages),
    ram[kind].bytes === 0 ? '' : bytes(ram[kind].bytes),
    String(disk[kind].pages),
    disk[kind].bytes === 0 ? '' : bytes(disk[kind].bytes),
  ];
  const known = report.pages.ram.replay + report.pages.disk.replay;
  return [
    `Migration ${short(migration)} from ${short(base)} to ${short(target)}: ${bytes(report.bytes.total)} travelled, by ${report.strategy}.`,
    '',
    table(
      ['WHAT CHANGED', 'RAM PAGES', 'ALONE', 'DISK BLOCKS', 'ALONE'],
      kinds.filter((kind) => ram[kind].pages + disk[kind].pages > 0).map(row),
    ),
    '',
    'ALONE: what zstd makes of each page against the base’s, to tell the kinds apart; together they travel smaller.',
    ...(report.replay === undefined
      ? []
      : [
          `The replay had ${String(known)} of these pages; ${String(report.residue.ramPages + report.residue.diskBlocks)} were carried.`,
        ]),
    ...advice,
  ].join('\n');
}
