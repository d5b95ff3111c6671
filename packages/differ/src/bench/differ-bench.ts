/* Throughput of the differ against what the machine and other programs can do: node dist/bench/differ-bench.js [MiB]. */
import { execFileSync, spawnSync } from 'node:child_process';
import { randomFillSync } from 'node:crypto';
import { mkdtemp, open, rm } from 'node:fs/promises';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { Differ, fileImage, PAGE_SIZE, type Image, type State } from '../index.js';
import { native } from '../native.js';

const ROUNDS = 5;
const CHANGED_SHARE = 0.05;
const NO_PAGES = new BigUint64Array(0);

interface Measure {
  readonly name: string;
  readonly gibPerSecond: number[];
}

async function writeImage(path: string, pages: number, changed: boolean): Promise<void> {
  const file = await open(path, 'w');
  try {
    const batch = 1024;
    const bytes = Buffer.alloc(batch * PAGE_SIZE);
    for (let first = 0; first < pages; first += batch) {
      // The same content for the same page in both images: each page repeats a counter of its own.
      for (let i = 0; i < batch; i++) {
        const page = bytes.subarray(i * PAGE_SIZE, (i + 1) * PAGE_SIZE);
        page.fill(`page ${first + i} of the bench, repeated to its end. `);
        const isChanged = changed && ((first + i) * 2654435761) % 1000 < CHANGED_SHARE * 1000;
        if (isChanged) randomFillSync(page, 0, 512);
      }
      await file.write(bytes, 0, Math.min(batch, pages - first) * PAGE_SIZE);
    }
  } finally {
    await file.close();
  }
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = process.hrtime.bigint();
  await work();
  return Number(process.hrtime.bigint() - start) / 1e9;
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0;
}

function commit(): string {
  try {
    return execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim();
  } catch {
    return 'unknown'; // run outside a checkout
  }
}

async function measureThreads(threads: number, base: Image, target: Image, home: string) {
  const gib = Number(base.sizeBytes) / 2 ** 30;
  const key = new Uint8Array(32).fill(7);
  await using differ = new Differ({ threads, fingerprint: { algorithm: 'xxh3', key } });
  const noDisk: Image = { sizeBytes: 0n, files: [], extents: NO_PAGES };
  const states: { base: State; target: State } = {
    base: { ram: base, disk: noDisk },
    target: { ram: target, disk: noDisk },
  };
  const indexPath = join(home, 'index');
  const works: [string, () => Promise<unknown>][] = [
    ['compare', () => differ.compare(base, target)],
    [
      'index, without sketches',
      () => differ.buildIndex(states.base, indexPath, { sketches: false }),
    ],
    ['index, with sketches', () => differ.buildIndex(states.base, indexPath)],
    ['leaf hashing (SHA-256)', () => differ.hashLeaves(base, join(home, 'leaves'))],
    [
      'plan, compare included',
      async () => {
        const ram = await differ.compare(base, target);
        const changed = { ram, disk: NO_PAGES };
        const plan = await differ.planResidue({ ...states, changed, indexPath });
        await plan.close();
      },
    ],
  ];
  const measures: Measure[] = [];
  for (const [name, work] of works) {
    await work(); // warms caches and threads
    const gibPerSecond: number[] = [];
    for (let round = 0; round < ROUNDS; round++) gibPerSecond.push(gib / (await timed(work)));
    measures.push({ name: `${name}, ${threads} thread${threads > 1 ? 's' : ''}`, gibPerSecond });
  }
  return measures;
}

/** What other programs make of the same files, or nothing where one is not installed. */
function measurePrograms(home: string, gib: number): Measure[] {
  const [base, target] = [join(home, 'base'), join(home, 'target')];
  const programs: [string, string[]][] = [
    ['b3sum', ['--num-threads', '1', base]],
    ['sha256sum', [base]],
    ['rsync', ['--no-whole-file', '--dry-run', '--ignore-times', '--checksum', base, target]],
  ];
  return programs.flatMap(([program, parameters]) => {
    const gibPerSecond: number[] = [];
    for (let round = 0; round < 3; round++) {
      const start = process.hrtime.bigint();
      const { error } = spawnSync(program, parameters, { stdio: 'ignore' });
      if (error !== undefined) return [];
      gibPerSecond.push(gib / (Number(process.hrtime.bigint() - start) / 1e9));
    }
    const name = program === 'rsync' ? 'rsync --checksum (both files)' : program;
    return [{ name, gibPerSecond }];
  });
}

async function main(): Promise<void> {
  const mib = Number(process.argv[2] ?? 512);
  if (!Number.isInteger(mib) || mib < 4) throw new Error('Usage: differ-bench [MiB, 4 or more]');
  const home = await mkdtemp(join(tmpdir(), 'differ-bench-'));
  try {
    await writeImage(join(home, 'base'), mib * 256, false);
    await writeImage(join(home, 'target'), mib * 256, true);
    const base = await fileImage(join(home, 'base'));
    const target = await fileImage(join(home, 'target'));
    const yardsticks = { memcpy: [] as number[], xxh3: [] as number[] };
    for (let round = 0; round < ROUNDS; round++) {
      const { bytes, memcpySeconds, xxh3Seconds } = native().measureYardsticks(base);
      yardsticks.memcpy.push(bytes / 2 ** 30 / memcpySeconds);
      yardsticks.xxh3.push(bytes / 2 ** 30 / xxh3Seconds);
    }
    const measures: Measure[] = [
      { name: 'memcpy of the file’s pages', gibPerSecond: yardsticks.memcpy },
      { name: 'XXH3-128 of the file’s pages', gibPerSecond: yardsticks.xxh3 },
      ...(await measureThreads(1, base, target, home)),
      ...(await measureThreads(2, base, target, home)),
      ...measurePrograms(home, mib / 1024),
    ];
    console.log(
      `${cpus()[0]?.model ?? 'unknown processor'} x ${cpus().length}, commit ${commit()}`,
    );
    console.log(
      `${mib} MiB of RAM, ${CHANGED_SHARE * 100} % changed, ${ROUNDS} rounds; GiB/s of one image`,
    );
    for (const { name, gibPerSecond } of measures) {
      const middle = median(gibPerSecond);
      const columns = [
        name.padEnd(36),
        middle.toFixed(2).padStart(7),
        `(${Math.min(...gibPerSecond).toFixed(2)} to ${Math.max(...gibPerSecond).toFixed(2)})`,
        `${(middle / median(yardsticks.memcpy)).toFixed(2)} of memcpy`,
        `${(middle / median(yardsticks.xxh3)).toFixed(2)} of XXH3`,
      ];
      console.log(columns.join('  '));
    }
    console.log(
      `peak memory ${(process.resourceUsage().maxRSS / 1024).toFixed(0)} MiB, mapped files included`,
    );
  } finally {
    await rm(home, { recursive: true, force: true });
  }
}

await main();
