import { cpus, release, totalmem } from 'node:os';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

import { qemuCapabilities } from '@reprise/core';

import { runProgram } from '../baseline/index.js';

/** What a reader must know to compare figures. */
export interface HostFacts {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly kernel: string;
  readonly qemu: string;
  readonly node: string;
  readonly rsync: string;
  readonly zstd: string;
  /** Of this repository; `-dirty` when files differ from it; undefined outside of a checkout. */
  readonly commit: string | undefined;
}

export async function hostFacts(): Promise<HostFacts> {
  const [rsync, zstd] = [await versionOf('rsync'), await versionOf('zstd')];
  const processors = cpus();
  return {
    cpu: processors[0]?.model.trim() ?? 'unknown',
    cores: processors.length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    qemu: firstVersion((await qemuCapabilities()).version),
    node: process.version.slice(1),
    ...{ rsync, zstd },
    commit: await commit(),
  };
}

async function versionOf(program: string): Promise<string> {
  return firstVersion(await runProgram(program, ['--version']));
}

function firstVersion(text: string): string {
  return /\d+\.\d+(?:\.\d+)?/.exec(text)?.[0] ?? 'unknown';
}

async function commit(): Promise<string | undefined> {
  const here = dirname(fileURLToPath(import.meta.url));
  try {
    const text = await runProgram('git', ['-C', here, 'describe', '--always', '--dirty']);
    return text.trim();
  } catch {
    // An unpacked archive has no history; the figures are still worth printing.
    return undefined;
  }
}
