import { createHash, randomFillSync } from 'node:crypto';
import { open, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';

import {
  countPages,
  Differ,
  fileImage,
  PAGE_SIZE,
  type Image,
  type PageRuns,
  type State,
} from '@reprise/differ';

import { createRunDirectory } from '../fixture/index.js';

export interface ScaleOptions {
  /** Sparse size and written part of the disk, size of RAM, in GiB. */
  readonly diskGiB: number;
  readonly writtenGiB: number;
  readonly ramGiB: number;
  /** The share of RAM and of what is written on the disk that a session changes. */
  readonly changedShare: number;
  readonly signal?: AbortSignal;
  readonly onProgress: (text: string) => void;
}

export interface ScaleStep {
  readonly step: string;
  readonly seconds: number;
  /** What had to come from storage, by the kernel's count, in bytes. */
  readonly bytesRead: number;
  readonly peakMemoryBytes: number;
  readonly detail: string;
}

export interface ScaleResult {
  readonly version: 1;
  readonly startedAt: string;
  readonly diskBytes: number;
  readonly writtenBytes: number;
  readonly ramBytes: number;
  readonly changedPages: number;
  readonly steps: readonly ScaleStep[];
}

const GIB = 2 ** 30;
const BATCH_PAGES = 4096;

/**
 * A large machine: everything after the first indexing must follow what changed, not what there is. The content is made
 * from a counter a page (distinct, and cheap to make); the state after the session is a copy that shares nothing but content.
 */
export async function runScaleBenchmark(options: ScaleOptions): Promise<ScaleResult> {
  const { onProgress, signal } = options;
  const startedAt = new Date().toISOString();
  await using directory = await createRunDirectory();
  const at = (name: string) => join(directory.path, name);
  const disk = { sizeBytes: options.diskGiB * GIB, heldBytes: options.writtenGiB * GIB };
  const ram = { sizeBytes: options.ramGiB * GIB, heldBytes: options.ramGiB * GIB };
  const steps: ScaleStep[] = [];
  const step = async (name: string, work: () => Promise<string>): Promise<void> => {
    signal?.throwIfAborted();
    onProgress(name);
    const [startedMs, readBefore] = [performance.now(), await bytesRead()];
    const detail = await work();
    steps.push({
      step: name,
      seconds: (performance.now() - startedMs) / 1000,
      bytesRead: (await bytesRead()) - readBefore,
      peakMemoryBytes: await peakMemory(),
      detail,
    });
  };
  onProgress('writing the images');
  await writeImage(at('base.ram'), ram);
  await writeImage(at('base.disk'), disk);
  const base: State = {
    ram: await fileImage(at('base.ram')),
    disk: await fileImage(at('base.disk')),
  };
  const changed = {
    ram: everyNth(ram.heldBytes, options.changedShare),
    disk: everyNth(disk.heldBytes, options.changedShare),
  };
  const target: State = {
    ram: await overlay(base.ram, at('session.ram'), changed.ram),
    disk: await overlay(base.disk, at('session.disk'), changed.disk),
  };
  const key = createHash('sha256').update('scale').digest();
  await using differ = new Differ({ fingerprint: { algorithm: 'xxh3', key } });
  const cancel = signal === undefined ? {} : { signal };
  await step('first index', async () => {
    const info = await differ.buildIndex(base, at('index'), cancel);
    return `${String(info.entries)} contents, ${String(info.fileBytes)} B`;
  });
  await step('first leaves (SHA-256)', async () => {
    await differ.hashLeaves(base.ram, at('ram.leaves'), cancel);
    await differ.hashLeaves(base.disk, at('disk.leaves'), cancel);
    return 'RAM and disk';
  });
  await step('compare where the log says so', async () => {
    const found = await differ.compareWithin(base.ram, target.ram, changed.ram, cancel);
    return `${String(countPages(found))} pages differ`;
  });
  await step('leaves of what changed', async () => {
    await differ.updateLeaves(at('ram.leaves'), target.ram, changed.ram, at('ram.new'), cancel);
    await differ.updateLeaves(at('disk.leaves'), target.disk, changed.disk, at('disk.new'), cancel);
    return 'RAM and disk';
  });
  await step('plan', async () => {
    await using plan = await differ.planResidue({
      ...{ base, target, changed, indexPath: at('index') },
      ...cancel,
    });
    const unknown = plan.counts.ram.unknown + plan.counts.disk.unknown;
    return `${String(unknown)} pages that the base does not explain, questions ${String(plan.questions.length)} B`;
  });
  await step('index of the next snapshot', async () => {
    const o = { from: at('index'), state: target, changed, path: at('next'), ...cancel };
    const info = await differ.updateIndex(o);
    return `${String(info.entries)} contents added, ${String(info.fileBytes)} B`;
  });
  return {
    ...{ version: 1, startedAt, diskBytes: disk.sizeBytes, writtenBytes: disk.heldBytes },
    ...{ ramBytes: ram.sizeBytes, steps },
    changedPages: countPages(changed.ram) + countPages(changed.disk),
  };
}

/** Runs of one page each, evenly spread. */
function everyNth(heldBytes: number, share: number): PageRuns {
  const pages = heldBytes / PAGE_SIZE;
  const gap = Math.max(1, Math.round(1 / share));
  const runs = new BigUint64Array(Math.floor(pages / gap) * 2);
  for (let i = 0; i < runs.length / 2; i++) {
    runs[2 * i] = BigInt(i * gap);
    runs[2 * i + 1] = 1n;
  }
  return runs;
}

/** A sparse file; its held part is distinct pages: a counter, then text. */
async function writeImage(
  path: string,
  { sizeBytes, heldBytes }: { sizeBytes: number; heldBytes: number },
): Promise<void> {
  const file = await open(path, 'w', 0o600);
  try {
    await file.truncate(sizeBytes);
    const batch = Buffer.alloc(BATCH_PAGES * PAGE_SIZE, 'a page of a large machine; ');
    for (let first = 0; first * PAGE_SIZE < heldBytes; first += BATCH_PAGES) {
      for (let i = 0; i < BATCH_PAGES; i++) {
        for (let word = 0; word < PAGE_SIZE; word += 512) {
          batch.writeBigUInt64LE(
            BigInt.asUintN(64, BigInt(first + i) * 0x9e3779b97f4an + BigInt(word)),
            i * PAGE_SIZE + word,
          );
        }
      }
      const bytes = Math.min(batch.length, heldBytes - first * PAGE_SIZE);
      await file.write(batch, 0, bytes, first * PAGE_SIZE);
    }
  } finally {
    await file.close();
  }
}

/** The base with some pages replaced by new content in a file of their own, as a layer of a disk is. */
async function overlay(base: Image, path: string, changed: PageRuns): Promise<Image> {
  const file = await open(path, 'w', 0o600);
  const pages = changed.length / 2;
  try {
    const batch = Buffer.alloc(BATCH_PAGES * PAGE_SIZE);
    for (let first = 0; first < pages; first += BATCH_PAGES) {
      for (let i = 0; i < BATCH_PAGES; i++) randomFillSync(batch, i * PAGE_SIZE, 512);
      await file.write(batch, 0, Math.min(BATCH_PAGES, pages - first) * PAGE_SIZE);
    }
  } finally {
    await file.close();
  }
  const [size, held] = [BigInt(PAGE_SIZE), BigInt((await stat(base.files[0] ?? '')).size)];
  const extents: bigint[] = [];
  let reached = 0n;
  for (let i = 0; i < pages; i++) {
    const at = (changed[2 * i] ?? 0n) * size;
    if (at > reached) extents.push(reached, at - reached, 0n, reached);
    extents.push(at, size, 1n, BigInt(i) * size);
    reached = at + size;
  }
  if (reached < held) extents.push(reached, held - reached, 0n, reached);
  return {
    sizeBytes: base.sizeBytes,
    files: [...base.files, path],
    extents: BigUint64Array.from(extents),
  };
}

async function bytesRead(): Promise<number> {
  return Number(/^read_bytes: (\d+)$/m.exec(await readFile('/proc/self/io', 'utf8'))?.[1] ?? 0);
}

/** Anonymous memory at its highest: mapped files are the page cache’s. */
async function peakMemory(): Promise<number> {
  const status = await readFile('/proc/self/status', 'utf8');
  const anonymous = Number(/^RssAnon:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0);
  return anonymous * 1024;
}

export function scaleTable(result: ScaleResult): string {
  const gib = (bytes: number) => `${(bytes / GIB).toFixed(1)} GiB`;
  const rows = result.steps.map(({ step, seconds, peakMemoryBytes, detail }) =>
    [
      step.padEnd(32),
      `${seconds.toFixed(2)} s`.padStart(10),
      `${(peakMemoryBytes / 2 ** 20).toFixed(0)} MiB`.padStart(10),
      `  ${detail}`,
    ].join(''),
  );
  return [
    `a disk of ${gib(result.diskBytes)} with ${gib(result.writtenBytes)} written, ${gib(result.ramBytes)} of RAM, ${String(result.changedPages)} pages changed`,
    `${'step'.padEnd(32)}${'time'.padStart(10)}${'memory'.padStart(10)}`,
    ...rows,
  ].join('\n');
}
