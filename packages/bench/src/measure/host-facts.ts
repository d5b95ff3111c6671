import { cpus, release, totalmem } from 'node:os';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

import { qemuCapabilities } from '@reprise/core';

import { runProgram } from '../baseline/index.js';

export interface MachineFacts {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly kernel: string;
  readonly node: string;
}

/** What a reader must know to compare figures. */
export interface HostFacts extends MachineFacts {
  readonly qemu: string;
  readonly rsync: string;
  readonly zstd: string;
  /** Of this repository; `-dirty` when files differ from it; undefined outside of a checkout. */
  readonly commit: string | undefined;
}

export async function hostFacts(): Promise<HostFacts> {
  return {
    ...machineFacts(),
    qemu: firstVersion((await qemuCapabilities()).version),
    rsync: await versionOf('rsync'),
    zstd: await versionOf('zstd'),
    commit: await commit(),
  };
}

export function machineFacts(): MachineFacts {
  const processors = cpus();
  return {
    cpu: processors[0]?.model.trim() ?? 'unknown',
    cores: processors.length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    node: process.version.slice(1),
  };
}

async function versionOf(program: string): Promise<string> {
  return firstVersion(await runProgram(program, ['--version']));
}

/** The first thing in a text that looks like one. */
export function firstVersion(text: string): string {
  return /\d+\.\d+(?:\.\d+)?/.exec(text)?.[0] ?? 'unknown';
}

/** Of this checkout, as `HostFacts` has it. */
export async function commit(): Promise<string | undefined> {
  const here = dirname(fileURLToPath(import.meta.url));
  try {
    const text = await runProgram('git', ['-C', here, 'describe', '--always', '--dirty']);
    return text.trim();
  } catch {
    // An unpacked archive has no history; the figures are still worth printing.
    return undefined;
  }
}
