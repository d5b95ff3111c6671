import type { SessionBytes } from './session-bytes.js';

const TITLES: Readonly<Record<string, string>> = {
  full: 'full copy + zstd',
  rsyncZ: 'rsync -z',
  xdelta3: 'xdelta3 -9 -S lzma',
  zstdPatchFrom: 'zstd --patch-from',
  cdc: 'content-defined chunks',
  cloudlet: 'cloudlet-style pipeline',
  paper2008: 'the design of 2008',
  ship: 'reprise, no replay',
  replay: 'reprise, replay',
};
const COLUMNS = ['log', 'digests', 'ram', 'disk', 'device', 'control', 'total'] as const;
const NUMBER_WIDTH = 12;

/** One session as a table for a terminal: bytes of both directions together. */
export function bytesTable(session: SessionBytes): string {
  const width = 26;
  const cell = (text: string) => text.padStart(NUMBER_WIDTH);
  const rows = [`${'bytes'.padEnd(width)}${COLUMNS.map(cell).join('')}${cell('rsync -z is')}`];
  const rsync = session.methods['rsyncZ']?.total;
  for (const [key, title] of Object.entries(TITLES)) {
    const method = session.methods[key];
    if (method === undefined) continue;
    const numbers = COLUMNS.map((column) => cell(grouped(method[column])));
    const times = rsync === undefined ? '' : `${(rsync / method.total).toFixed(2)} x`;
    rows.push(`${title.padEnd(width)}${numbers.join('')}${cell(times)}`);
  }
  for (const [title, oracle] of [
    ['oracle', session.oracle],
    ['full oracle', session.fullOracle],
  ] as const) {
    if (oracle === undefined || oracle.total === 0) continue;
    const replay = session.methods['replay']?.total ?? 0;
    const over = `reprise with replay is ${(replay / oracle.total).toFixed(2)} x this`;
    const blanks = ''.padStart(NUMBER_WIDTH * (COLUMNS.length - 1));
    rows.push(`${title.padEnd(width)}${blanks}${cell(grouped(oracle.total))}  ${over}`);
  }
  const { ramPages, diskBlocks } = session.changed;
  const ablation = Object.entries(session.ablation).map(
    ([what, bytes]) => `${what} ${grouped(bytes)}`,
  );
  return [
    `${session.name}: ${session.title}`,
    `  ${grouped(ramPages)} pages of RAM and ${grouped(diskBlocks)} blocks of disk changed before the squeeze`,
    ...rows.map((row) => `  ${row}`),
    `  residue without replay: ${ablation.join(' · ')}`,
  ].join('\n');
}

function grouped(value: number): string {
  return value === 0 ? '-' : String(Math.round(value)).replaceAll(/(\d)(?=(\d{3})+$)/g, '$1 ');
}
