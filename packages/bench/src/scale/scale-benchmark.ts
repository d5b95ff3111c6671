import { createHash, randomFillSync } from 'node:crypto';
import { copyFile, open, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';

import {
  countPages,
  Differ,
  fileImage,
  PAGE_SIZE,
  type Image,
  type PageRuns,
  type ResiduePlan,
  type State,
} from '@reprise/differ';

import { createRunDirectory } from '../fixture/index.js';

import { StepRecorder, type ScaleStep } from './step-recorder.js';
import { measureStore } from './store-steps.js';

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

export interface ScaleResult {
  readonly version: 2;
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
 * What a step may look at for each byte that changed: a leaf of 16 pages where single pages changed. Whole images of
 * which 2 % changed would be 50.
 */
const READS_PER_CHANGED = 20;

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
  const recorder = new StepRecorder(onProgress, signal);
  const step = recorder.step.bind(recorder);
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
  const ramBytes = countPages(changed.ram) * PAGE_SIZE;
  const changedBytes = ramBytes + countPages(changed.disk) * PAGE_SIZE;
  const mostBytes = READS_PER_CHANGED * changedBytes;
  await step(
    'compare where the log says so',
    async () => {
      const found = await differ.compareWithin(base.ram, target.ram, changed.ram, cancel);
      return `${String(countPages(found))} pages differ`;
    },
    READS_PER_CHANGED * ramBytes,
  );
  await step(
    'leaves of what changed',
    async () => {
      const { ram: pages, disk: blocks } = changed;
      await differ.updateLeaves(at('ram.leaves'), target.ram, pages, at('ram.new'), cancel);
      await differ.updateLeaves(at('disk.leaves'), target.disk, blocks, at('disk.new'), cancel);
      return 'RAM and disk';
    },
    mostBytes,
  );
  let plan: ResiduePlan | undefined;
  const planned = (): ResiduePlan => {
    if (plan === undefined) throw new Error('There is no plan.');
    return plan;
  };
  try {
    await step(
      'plan',
      async () => {
        plan = await differ.planResidue({
          ...{ base, target, changed, indexPath: at('index') },
          ...cancel,
        });
        const unknown = plan.counts.ram.unknown + plan.counts.disk.unknown;
        return `${String(unknown)} pages that the base does not explain, questions ${String(plan.questions.length)} B`;
      },
      mostBytes,
    );
    onProgress('copying the memory');
    await copyFile(at('base.ram'), at('applied.ram'));
    await step(
      'encode and apply, zstd -3',
      async () => {
        const output = { ram: at('applied.ram'), disk: at('applied.disk') };
        await using applier = await differ.applyResidue({ base, output });
        let bytes = 0;
        for await (const frame of planned().encode({ level: 3, ...cancel })) {
          bytes += frame.bytes.length;
          await applier.apply(frame.bytes);
        }
        const { ram: pages, disk: blocks } = await applier.finish();
        return `${String(countPages(pages) + countPages(blocks))} pages in ${String(bytes)} B`;
      },
      mostBytes,
    );
  } finally {
    await plan?.close();
  }
  await step(
    'index of the next snapshot',
    async () => {
      const o = { from: at('index'), state: target, changed, path: at('next'), ...cancel };
      const info = await differ.updateIndex(o);
      return `${String(info.entries)} contents added, ${String(info.fileBytes)} B`;
    },
    mostBytes,
  );
  for (const name of ['applied.ram', 'applied.disk', 'index', 'next']) {
    await rm(at(name), { recursive: true, force: true });
  }
  await measureStore(
    {
      ...{ home: at('store'), ram: at('base.ram'), disk: at('base.disk'), changed },
      ...{ ramBytes: ram.sizeBytes, diskBytes: disk.sizeBytes },
      // Nobody says which pages a hypervisor wrote: both memories are compared, and what differs is hashed.
      mostBytes: 2 * ram.sizeBytes + mostBytes,
    },
    recorder,
  );
  return {
    ...{ version: 2, startedAt, diskBytes: disk.sizeBytes, writtenBytes: disk.heldBytes },
    ...{ ramBytes: ram.sizeBytes, steps: recorder.steps },
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
