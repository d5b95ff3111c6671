import { methodTitles, type MethodBytes, type Methods, type OracleBytes } from './method-bytes.js';
import type { SessionBytes } from './session-bytes.js';
import { verdictLine } from './verdicts.js';

const COLUMNS = ['log', 'digests', 'ram', 'disk', 'device', 'control', 'total'] as const;
const TITLE_WIDTH = 26;
const NUMBER_WIDTH = 12;

/** One session as a table for a terminal: bytes of both directions together. */
export function bytesTable(session: SessionBytes): string {
  const { methods, changed, ablation } = session;
  const header = ['bytes'.padEnd(TITLE_WIDTH), ...COLUMNS.map(cell), cell('rsync -z is')];
  const rows = (Object.keys(methodTitles) as (keyof Methods)[]).flatMap((key) => {
    const method = methods[key];
    return method === null ? [] : [row(methodTitles[key], method, methods)];
  });
  const counts =
    changed.ramPages === 0
      ? []
      : [
          `  ${grouped(changed.ramPages)} pages of RAM and ${grouped(changed.diskBlocks)} blocks of disk changed before the squeeze`,
        ];
  return [
    `${session.name}: ${session.title}`,
    ...counts,
    `  ${header.join('')}`,
    ...rows,
    ...(ablation === null ? [] : ablationTable(ablation)),
    ...session.verdicts.map((verdict) => `  ${verdictLine(verdict)}`),
  ].join('\n');
}

function row(
  title: string,
  method: MethodBytes | OracleBytes | { total: number },
  { rsyncZ, replay }: Readonly<Methods>,
): string {
  const numbers = COLUMNS.map((column) => {
    const value = (method as Partial<MethodBytes>)[column];
    return cell(value === undefined ? '' : grouped(value));
  });
  const times = rsyncZ === null ? '' : `${(rsyncZ.total / method.total).toFixed(2)} x`;
  const over =
    'joined' in method && replay !== null
      ? `  reprise with replay is ${(replay.total / method.total).toFixed(2)} x this`
      : '';
  return `  ${title.padEnd(TITLE_WIDTH)}${numbers.join('')}${cell(times)}${over}`;
}

function ablationTable(ablation: NonNullable<SessionBytes['ablation']>): string[] {
  const names = new Set([...Object.keys(ablation.ship), ...Object.keys(ablation.replay)]);
  const of = (bytes: number | undefined) => cell(bytes === undefined ? '' : grouped(bytes));
  return [
    `  ${'residue, one left out'.padEnd(TITLE_WIDTH + 6)}${cell('no replay')}${cell('replay')}`,
    ...[...names].map(
      (name) =>
        `  ${name.padEnd(TITLE_WIDTH + 6)}${of(ablation.ship[name])}${of(ablation.replay[name])}`,
    ),
  ];
}

function cell(text: string): string {
  return text.padStart(NUMBER_WIDTH);
}

function grouped(value: number): string {
  return value === 0 ? '-' : String(Math.round(value)).replaceAll(/(\d)(?=(\d{3})+$)/g, '$1 ');
}
