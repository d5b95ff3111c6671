import { describe, expect, test } from '@jest/globals';

import { noMethods } from '../bytes/method-bytes.js';
import { verdictsOf } from '../bytes/verdicts.js';

import { htmlReport } from './report.js';

const bytes = (total: number) => ({
  ...{ total, sent: total, received: 0, ram: total, disk: 0, device: 0 },
  ...{ log: 0, digests: 0, control: 0 },
});
const methods = {
  ...noMethods(),
  rsyncZ: bytes(4_400_000),
  ship: bytes(135_000),
  replay: bytes(95_000),
};
const host = {
  ...{ cpu: 'a <fast> processor', cores: 2, memoryGiB: 24, kernel: '6', node: '20.1.0' },
  ...{ qemu: '7.2', rsync: '3.2', zstd: '1.5', commit: 'abc' },
};
const page = htmlReport({
  ...{ version: 2, startedAt: '2026-01-01T00:00:00Z', build: 'b', host },
  sessions: [
    {
      ...{ name: 'edit', title: 'writing & saving', changed: { ramPages: 3, diskBlocks: 1 } },
      ...{ methods, seconds: { ship: 3, replay: 60 }, ablation: null },
      race: [
        { ms: 0, shipped: 0, replayed: 0, blocks: 10 },
        { ms: 1000, shipped: 4, replayed: 6, blocks: 10 },
      ],
      map: {
        cells: '0015',
        pagesPerCell: 1,
        pages: { same: 2, zero: 1, 'found in the base': 0, twin: 0, replayed: 0, shipped: 1 },
      },
      verdicts: verdictsOf('edit', methods),
    },
  ],
});

describe('the page of a run', () => {
  test('needs nothing from elsewhere', () => {
    const outside = [...page.matchAll(/(?:src|href)="([^"]*)"/g)].map((match) => match[1] ?? '');
    expect(outside.length).toBeGreaterThan(0);
    expect(outside.filter((target) => !/^(#|data:)/.test(target))).toEqual([]);
    expect(page).not.toMatch(/<script|@import|url\(/);
  });

  test('shows what was measured, and says what was not', () => {
    expect(page).toContain('95.0 KB');
    expect(page).toContain('reprise, replay: 95000 bytes');
    expect(page).toContain('<b>not measured</b> replay / oracle');
    expect(page).toContain('<b>holds</b> replay / rsync -z');
    expect(page).not.toContain('NaN');
  });

  test('tells text from markup', () => {
    expect(page).toContain('writing &amp; saving');
    expect(page).toContain('a &lt;fast> processor');
  });
});
