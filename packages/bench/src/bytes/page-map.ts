import { PAGE_CLASSES, pageCount } from '@reprise/differ';

import type { Laboratory } from './laboratory.js';
import { NOWHERE, UNKNOWN } from './positions.js';

/** What became of a page, from the least telling to the most: a cell of the map shows the most telling one in it. */
export const pageFates = [
  'same',
  'zero',
  'found in the base',
  'twin',
  'replayed',
  'shipped',
] as const;

export interface PageMap {
  /** Cells in the order of their pages, a digit each: an index in {@link pageFates}. */
  readonly cells: string;
  readonly pagesPerCell: number;
  readonly pages: Readonly<Record<(typeof pageFates)[number], number>>;
}

const CELLS = 8192;

/** Where in memory what had to be shipped stands, with the recorded replay. */
export async function ramMap(lab: Laboratory): Promise<PageMap> {
  const plan = await lab.plan();
  const { answers } = await lab.exchange();
  const { target } = await lab.change();
  const total = pageCount(target.ram);
  const pagesPerCell = Math.ceil(total / CELLS);
  const cells = new Uint8Array(Math.ceil(total / pagesPerCell));
  const counts = [0, 0, 0, 0, 0, 0];
  const { classes, pages } = plan.entries;
  let question = 0;
  for (const [entry, kind] of classes.entries()) {
    const location = kind === UNKNOWN ? answers.locations[question++] : undefined;
    const packed = pages[entry] ?? 0n;
    if ((packed & 1n) !== 0n) continue;
    const fate = fateOf(kind, location);
    counts[fate] = (counts[fate] ?? 0) + 1;
    const cell = Math.floor(Number(packed >> 1n) / pagesPerCell);
    cells[cell] = Math.max(cells[cell] ?? 0, fate);
  }
  counts[0] = total - counts.reduce((sum, count) => sum + count, 0);
  return {
    cells: [...cells].join(''),
    pagesPerCell,
    pages: Object.fromEntries(
      pageFates.map((name, i) => [name, counts[i] ?? 0]),
    ) as PageMap['pages'],
  };
}

function fateOf(kind: number, location: bigint | undefined): number {
  if (location !== undefined) {
    return pageFates.indexOf(location === NOWHERE ? 'shipped' : 'replayed');
  }
  const name = PAGE_CLASSES[kind];
  if (name === 'zero' || name === 'twin') return pageFates.indexOf(name);
  return pageFates.indexOf(name === 'base' ? 'found in the base' : 'shipped');
}
