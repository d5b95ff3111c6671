import { randomFillSync } from 'node:crypto';
import { open, rename, rm, writeFile } from 'node:fs/promises';

import { VirtualDisk, type DiskChain } from '@reprise/blkdriver-native';
import { openStore, parseMachine } from '@reprise/core';
import { PAGE_SIZE, type PageRuns } from '@reprise/differ';

import type { StepRecorder } from './step-recorder.js';

const VM = 'large';
const WRITES_AT_ONCE = 64;

export interface StoreSteps {
  /** Where the store stands meanwhile. */
  readonly home: string;
  /** A machine's memory and disk, as files that are used up. */
  readonly ram: string;
  readonly disk: string;
  readonly ramBytes: number;
  readonly diskBytes: number;
  /** What a session writes. */
  readonly changed: { readonly ram: PageRuns; readonly disk: PageRuns };
  /** That the commit of it may look at. */
  readonly mostBytes: number;
}

/** A store's part in a large machine's life: its first snapshot, a session's working copy, the next snapshot. */
export async function measureStore(o: StoreSteps, recorder: StepRecorder): Promise<void> {
  await using store = await openStore({ home: o.home });
  const machine = parseMachine({
    ...{ version: 1, hypervisor: 'qemu', accelerator: 'tcg', boot: { kind: 'firmware' } },
    ...{ memoryMiB: o.ramBytes / 2 ** 20, diskBytes: o.diskBytes },
    ...{ clockBase: '2026-01-01T00:00:00', seed: 1 },
  });
  await recorder.step('first import (store)', async () => {
    await store.createVm({ name: VM, machine, disk: o.disk });
    return 'the disk, copied and hashed';
  });
  await rm(o.disk);
  const first = await store.createWorkingCopy(VM);
  await rename(o.ram, first.paths.ram);
  await writeFile(first.paths.device, 'a device state');
  await recorder.step('first snapshot (store)', async () => {
    await store.commitWorkingCopy(VM);
    return 'the memory, hashed';
  });
  await recorder.step('working copy for a session (store)', async () => {
    await store.createWorkingCopy(VM);
    return 'the memory, copied where the file system cannot share it';
  });
  const session = await store.workingCopy(VM);
  if (session === undefined) throw new Error('The working copy that was made is not there.');
  await writeMemory(session.paths.ram, o.changed.ram);
  await writeDisk(session.disk, o.changed.disk);
  await writeFile(session.paths.device, 'another device state');
  await recorder.step(
    'snapshot after a session (store)',
    async () => {
      const { manifest } = await store.commitWorkingCopy(VM);
      const { ramPages = 0, diskBlocks = 0 } = manifest.changed ?? {};
      return `${String(ramPages + diskBlocks)} pages and blocks; both memories compared once`;
    },
    o.mostBytes,
  );
}

async function writeMemory(path: string, changed: PageRuns): Promise<void> {
  const file = await open(path, 'r+');
  try {
    const bytes = Buffer.alloc(512);
    for (const page of pagesOf(changed)) {
      await file.write(randomFillSync(bytes), 0, bytes.length, page * PAGE_SIZE);
    }
  } finally {
    await file.close();
  }
}

/** Through the driver, as a guest would: with marks in the overlay's log. */
async function writeDisk(chain: DiskChain, changed: PageRuns): Promise<void> {
  await using disk = await VirtualDisk.open(chain);
  const blocks = [...pagesOf(changed)];
  for (let first = 0; first < blocks.length; first += WRITES_AT_ONCE) {
    await Promise.all(
      blocks
        .slice(first, first + WRITES_AT_ONCE)
        .map((block) =>
          disk.write(BigInt(block) * BigInt(PAGE_SIZE), randomFillSync(Buffer.alloc(PAGE_SIZE))),
        ),
    );
  }
}

function* pagesOf(runs: PageRuns): Generator<number> {
  for (let i = 0; i + 1 < runs.length; i += 2) {
    const [first, count] = [Number(runs[i]), Number(runs[i + 1])];
    for (let page = first; page < first + count; page++) yield page;
  }
}
