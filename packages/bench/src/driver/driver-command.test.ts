import { execFile, spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { describe, expect, test } from '@jest/globals';

import type { DriverBenchmarkResult } from './driver-benchmark.js';

const programs = ['fio', 'qemu-nbd', 'nbdkit'];
const installed = programs.every((name) => spawnSync(name, ['--version']).status === 0);
const main = fileURLToPath(new URL('../../dist/main.js', import.meta.url));

describe('bench driver', () => {
  (installed ? test : test.skip)(
    'measures real servers, writes what it measured and says how the goals stand',
    async () => {
      const directory = await mkdtemp(join(tmpdir(), 'bench-driver-'));
      try {
        const json = join(directory, 'driver.json');
        const { stdout } = await promisify(execFile)(process.execPath, [
          ...[main, 'driver', '--rounds', '1', '--pairs', '2', '--runtime', '100', '--size', '16'],
          ...['--patience', '0', '--row', 'random write 4 KiB, depth 1', '--json', json],
        ]);
        expect(stdout).toMatch(/tracking costs under 3 % on every row: (shown|met|open|missed)/);
        const result = JSON.parse(await readFile(json, 'utf8')) as DriverBenchmarkResult;
        expect(result.rows).toHaveLength(1);
        const [row] = result.rows;
        for (const figure of [row?.ours, row?.qemuNbd, row?.nbdkit]) {
          expect(figure).toBeGreaterThan(100);
        }
        expect(row?.pairs).toHaveLength(2);
        expect(row?.trackingCost).toBeLessThan(1);
        expect(result.configuration.commands.nbdkit).toContain('nbdkit -f');
      } finally {
        await rm(directory, { recursive: true, force: true });
      }
    },
    120_000,
  );
});
