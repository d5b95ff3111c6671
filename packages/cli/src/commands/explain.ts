import {
  explainMigration,
  memoryOwners,
  residueKinds,
  type Explanation,
  type MemoryOwner,
  type ResidueKind,
} from '@reprise/core';

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

function describe(explanation: Explanation): string {
  const { base, target, report, ram, disk, owners, unexplained, advice, migration } = explanation;
  const kinds = Object.keys(residueKinds) as ResidueKind[];
  const row = (kind: ResidueKind): string[] => [
    residueKinds[kind],
    String(ram[kind].pages),
    ram[kind].bytes === 0 ? '' : bytes(ram[kind].bytes),
    String(disk[kind].pages),
    disk[kind].bytes === 0 ? '' : bytes(disk[kind].bytes),
  ];
  const owned = (Object.keys(memoryOwners) as MemoryOwner[]).filter(
    (owner) => owners[owner].pages > 0,
  );
  return [
    `Migration ${short(migration)} from ${short(base)} to ${short(target)}: ${bytes(report.bytes.total)} travelled, by ${report.strategy}.`,
    '',
    table(
      ['WHAT CHANGED', 'RAM PAGES', 'ALONE', 'DISK BLOCKS', 'ALONE'],
      kinds.filter((kind) => ram[kind].pages + disk[kind].pages > 0).map(row),
    ),
    '',
    table(
      ['WHOSE MEMORY', 'PAGES', 'ALONE'],
      owned.map((owner) => [
        memoryOwners[owner],
        String(owners[owner].pages),
        owners[owner].bytes === 0 ? '' : bytes(owners[owner].bytes),
      ]),
    ),
    '',
    ...describeFiles(explanation),
    'ALONE: what zstd makes of each page against the base’s, to tell the kinds apart; together they travel smaller.',
    ...(report.replay === undefined
      ? []
      : [
          `Of what the base does not explain, the replay held ${String(unexplained.replayed)}; ${String(unexplained.carried)} were carried.`,
        ]),
    ...advice,
  ].join('\n');
}

function describeFiles({ files, disk }: Explanation): string[] {
  if (Object.values(disk).every(({ pages }) => pages === 0)) return [];
  if (files === null) {
    return ['The disk does not begin with ext4: whose its blocks are cannot be said.', ''];
  }
  const rows = files.map(({ owner, pages, bytes: size }) => [
    owner,
    String(pages),
    size === 0 ? '' : bytes(size),
  ]);
  return [table(['WHOSE BLOCKS', 'BLOCKS', 'ALONE'], rows), ''];
}
