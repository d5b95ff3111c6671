import { byteClasses, type ByteClass } from '@reprise/core';
import Table from 'cli-table3';

import { titleOf, type Clock } from '../measure/measurement.js';

import type { MethodSummary, SessionSummary } from './session-summary.js';
import type { Spread } from './statistics.js';

/** Boot files travel with a seed, never with a migration. */
const CLASSES = byteClasses.filter((name) => name !== 'boot');
const clockTitle: Readonly<Record<Clock, string>> = {
  host: "under the host's clock",
  virtual: 'in virtual time',
};
const NO_BORDERS = Object.fromEntries(
  [
    ...['top', 'top-mid', 'top-left', 'top-right', 'bottom', 'bottom-mid', 'bottom-left'],
    ...['bottom-right', 'left', 'left-mid', 'mid', 'mid-mid', 'right', 'right-mid'],
  ].map((part) => [part, '']),
);

/** One session: a line a method and direction; the medians of several runs, with the range of their totals. */
export function sessionTable(summary: SessionSummary): string {
  const several = summary.runs > 1;
  const table = new Table({
    head: ['bytes', '', ...CLASSES, 'total', ...(several ? ['min … max'] : []), 'rsync -z is'],
    colAligns: [
      'left',
      'left',
      ...Array.from({ length: CLASSES.length + (several ? 3 : 2) }, () => 'right' as const),
    ],
    chars: { ...NO_BORDERS, middle: '  ' },
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 },
  });
  for (const method of summary.methods) table.push(...methodRows(method, several));
  return [...headingOf(summary), trimLines(table.toString())].join('\n');
}

function headingOf(summary: SessionSummary): string[] {
  const { session, clock, title, runs, sessionSeconds, changed } = summary;
  const range = (spread: Spread) =>
    spread.min === spread.max
      ? grouped(spread.min)
      : `${grouped(spread.min)} … ${grouped(spread.max)}`;
  const facts = [
    ...(runs > 1 ? [`${String(runs)} runs, medians`] : []),
    `${grouped(Math.round(sessionSeconds.median))} s`,
    `${range(changed.ramPages)} pages of RAM and ${range(changed.diskBlocks)} blocks of disk changed`,
  ];
  return [`${session}, ${clockTitle[clock]}: ${title}`, `  ${facts.join('; ')}`];
}

function methodRows(method: MethodSummary, several: boolean): string[][] {
  const directions = (['sent', 'received'] as const).filter(
    (direction) => direction === 'sent' || method.received.max > 0,
  );
  return directions
    .map((direction, i) => [
      i === 0 ? titleOf[method.method] : '',
      direction,
      ...CLASSES.map((name: ByteClass) => cell(method.byClass[name][direction].median)),
      cell(method[direction].median),
      ...(several ? [`${grouped(method[direction].min)} … ${grouped(method[direction].max)}`] : []),
      '',
    ])
    .concat([
      [
        '',
        'both',
        ...CLASSES.map((name) =>
          cell(method.byClass[name].sent.median + method.byClass[name].received.median),
        ),
        cell(method.total.median),
        ...(several ? [`${grouped(method.total.min)} … ${grouped(method.total.max)}`] : []),
        `${method.timesLessThanRsync.median.toFixed(2)} x`,
      ],
    ]);
}

function cell(bytes: number): string {
  return bytes === 0 ? '-' : grouped(bytes);
}

/** 1234567 as 1 234 567. */
function grouped(value: number): string {
  return String(value).replaceAll(/\B(?=(\d{3})+$)/g, ' ');
}

function trimLines(text: string): string {
  return text
    .split('\n')
    .map((line) => `  ${line.trimEnd()}`)
    .join('\n');
}
