#!/usr/bin/env node
import { access, constants, writeFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';

import { parseRate } from '@reprise/core';
import { Command, InvalidArgumentError, Option } from 'commander';

import { runBenchmark } from './benchmark.js';
import { bytesSessions, runBytesBenchmark } from './bytes/index.js';
import {
  driverTable,
  memoryTable,
  runDriverBenchmark,
  runMemoryBenchmark,
  workloads,
} from './driver/index.js';
import { runScaleBenchmark, scaleTable } from './scale/scale-benchmark.js';
import { fidelitySessionNames, fidelityTable, runFidelityBenchmark } from './fidelity/index.js';
import { addRaceCommand } from './race/command.js';
import { sessionNames } from './session/index.js';
import { runVirtualBenchmark, virtualSessions, virtualTable } from './virtual/index.js';

const INTERRUPTED = 130;
const STOPPING = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

interface Arguments {
  readonly session?: readonly string[];
  readonly runs: number;
  readonly limit: number;
  readonly json?: string;
}

const program = new Command('bench')
  .enablePositionalOptions() // what follows the name of a benchmark is its own
  .description(
    'Plays scripted sessions on guests and measures what it takes to move them to a host that has their base.',
  )
  .addOption(new Option('--session <name...>', 'only these sessions').choices([...sessionNames]))
  .option('--runs <count>', 'play and measure each session this often', parseCount, 1)
  .addOption(
    new Option('--limit <rate>', 'of the link, each way')
      .argParser(parseLimit)
      .default(parseRate('5mbit'), '5mbit'),
  )
  .option('--json <file>', 'also write everything that was measured')
  .action(async (options: Arguments) => {
    await bench(options);
  });

interface DriverArguments {
  readonly rounds: number;
  readonly runtime: number;
  readonly size: number;
  readonly patience: number;
  readonly row?: readonly string[];
  readonly json?: string;
}

program
  .command('driver')
  .description(
    "Compares our block driver with qemu-nbd and nbdkit: fio's nbd engine, six workloads, interleaved rounds.",
  )
  .option('--rounds <count>', 'measure everything this often', parseCount, 12)
  .option('--runtime <ms>', 'of one measurement', parseMilliseconds, 600)
  .option('--size <MiB>', 'of the disk', parseMebibytes, 256)
  .option('--patience <s>', 'repeat disturbed measurements until then', parseSeconds, 300)
  .addOption(
    new Option('--row <name...>', 'only these workloads').choices(workloads.map((w) => w.name)),
  )
  .option('--json <file>', 'also write everything that was measured')
  .action(async ({ rounds, runtime, size, patience, row, json }: DriverArguments) => {
    await run(json, async (signal, onProgress) => {
      const result = await runDriverBenchmark({
        workloads: workloads.filter((workload) => row?.includes(workload.name) ?? true),
        ...{ rounds, runtimeMs: runtime, sizeMiB: size, signal, onProgress },
        repeatUntilMs: patience * 1000,
      });
      process.stdout.write(`${driverTable(result)}\n`);
      return result;
    });
  });

interface ScaleArguments {
  readonly disk: number;
  readonly written: number;
  readonly ram: number;
  readonly json?: string;
}

program
  .command('scale')
  .description(
    'A large machine: time, memory and reads of the differ; cost must follow what changed.',
  )
  .option('--disk <GiB>', 'size of the disk', parseGibibytes, 64)
  .option('--written <GiB>', 'how much of it is written', parseGibibytes, 20)
  .option('--ram <GiB>', 'memory', parseGibibytes, 8)
  .option('--json <file>', 'also write everything that was measured')
  .action(async ({ disk, written, ram, json }: ScaleArguments) => {
    await run(json, async (signal, onProgress) => {
      const result = await runScaleBenchmark({
        ...{ diskGiB: disk, writtenGiB: Math.min(disk, written), ramGiB: ram },
        ...{ changedShare: 0.02, signal, onProgress },
      });
      process.stdout.write(`${scaleTable(result)}\n`);
      return result;
    });
  });

program
  .command('driver-memory')
  .description('How much memory our block driver takes, by GiB of disk and by million writes.')
  .option('--millions <count>', 'random 4 KiB writes to make', parseCount, 2)
  .option('--json <file>', 'also write everything that was measured')
  .action(async ({ millions, json }: { millions: number; json?: string }) => {
    await run(json, async (signal, onProgress) => {
      const result = await runMemoryBenchmark({ millions, signal, onProgress });
      process.stdout.write(`${memoryTable(result)}\n`);
      return result;
    });
  });

interface BytesArguments {
  readonly session?: readonly string[];
  readonly quick: boolean;
  readonly json?: string;
}

program
  .command('bytes')
  .description(
    'Every way to move what a recorded session left, side by side on the same states, and the limit. Recordings are made once.',
  )
  .addOption(
    new Option('--session <name...>', 'only these sessions').choices(Object.keys(bytesSessions)),
  )
  .option('--quick', 'reprise alone: without other tools and the limit', false)
  .option('--json <file>', 'also write everything that was measured')
  .action(async ({ session, quick, json }: BytesArguments) => {
    await run(json, (signal, onProgress) =>
      runBytesBenchmark({
        ...{ sessions: session ?? Object.keys(bytesSessions), quick, signal, onProgress },
        onTable: (text) => process.stdout.write(`${text}\n\n`),
      }),
    );
  });

interface FidelityArguments {
  readonly session?: readonly string[];
  readonly runs: number;
  readonly json?: string;
}

program
  .command('fidelity')
  .description(
    'Replays recorded sessions and compares the last screen, files, time and residue. Takes hours; run again with the same --json, it goes on where it was.',
  )
  .addOption(
    new Option('--session <name...>', 'only these sessions').choices([...fidelitySessionNames]),
  )
  .option('--runs <count>', 'replay each session this often', parseCount, 20)
  .option('--json <file>', 'what was measured so far, and what is measured now')
  .action(async ({ session, runs, json }: FidelityArguments) => {
    await run(json, async (signal, onProgress) => {
      const result = await runFidelityBenchmark({
        ...{ sessions: session ?? fidelitySessionNames, runs, file: json, signal, onProgress },
      });
      process.stdout.write(`${fidelityTable(result)}\n`);
      return result;
    });
  });

addRaceCommand(program, run);

interface VirtualArguments {
  readonly session?: readonly string[];
  readonly runs: number;
  readonly limit: number;
  readonly results?: string;
  readonly json?: string;
}

program
  .command('virtual')
  .description(
    'Sessions in virtual time: whether they replay bit for bit, what their migration costs, how much slower the guest is. Interrupted, it goes on where it was.',
  )
  .addOption(
    new Option('--session <name...>', 'only these sessions').choices(Object.keys(virtualSessions)),
  )
  .option('--runs <count>', 'of each session; every second one under load', parseCount, 2)
  .addOption(
    new Option('--limit <rate>', 'of the link, each way')
      .argParser(parseLimit)
      .default(parseRate('5mbit'), '5mbit'),
  )
  .option('--results <file>', 'where finished runs are kept (default: in the cache)')
  .option('--json <file>', 'also write the result')
  .action(async ({ session, runs, limit, results, json }: VirtualArguments) => {
    await run(json, async (signal, onProgress) => {
      const result = await runVirtualBenchmark({
        ...{ sessions: session ?? Object.keys(virtualSessions), runs, signal, onProgress },
        ...(results === undefined ? {} : { results }),
        bytesPerSecond: limit,
      });
      process.stdout.write(`${virtualTable(result)}\n`);
      return result;
    });
  });

async function bench(options: Arguments): Promise<void> {
  await run(options.json, (signal, onProgress) =>
    runBenchmark({
      sessions: options.session ?? sessionNames,
      runs: options.runs,
      bytesPerSecond: options.limit,
      ...{ signal, onProgress },
      onTable: (text) => process.stdout.write(`${text}\n\n`),
    }),
  );
}

/** Runs a benchmark until it ends or a signal cancels it; writes what it gives to `json`. */
async function run(
  json: string | undefined,
  benchmark: (signal: AbortSignal, onProgress: (text: string) => void) => Promise<object>,
): Promise<void> {
  const cancelling = new AbortController();
  const cancel = () => {
    process.stderr.write('bench: cancelling; once more ends at once and leaves files behind\n');
    cancelling.abort();
  };
  for (const name of STOPPING) process.once(name, cancel);
  const startedMs = performance.now();
  try {
    if (json !== undefined) await checkWritable(json);
    const result = await benchmark(cancelling.signal, (text) => {
      const seconds = ((performance.now() - startedMs) / 1000).toFixed(1).padStart(7);
      process.stderr.write(`${seconds} s  ${text}\n`);
    });
    if (json !== undefined) await writeFile(json, `${JSON.stringify(result, undefined, 2)}\n`);
  } catch (error) {
    const cancelled = cancelling.signal.aborted;
    process.stderr.write(`bench: ${cancelled ? 'cancelled' : describe(error)}\n`);
    process.exitCode = cancelled ? INTERRUPTED : 1;
  } finally {
    for (const name of STOPPING) process.removeListener(name, cancel);
  }
}

/** Before an hour of work, not after it. */
async function checkWritable(file: string): Promise<void> {
  const directory = dirname(resolve(file));
  try {
    await access(directory, constants.W_OK);
  } catch (cause) {
    throw new Error(`${directory} cannot be written to. Give --json a file somewhere else.`, {
      cause,
    });
  }
}

function parseGibibytes(text: string): number {
  const gib = Number(text);
  if (gib > 0 && gib <= 4096) return gib;
  throw new InvalidArgumentError('Give GiB, above 0 and up to 4096.');
}

function parseCount(text: string): number {
  return parseWhole(text, 1, 100);
}

function parseMilliseconds(text: string): number {
  return parseWhole(text, 100, 600_000);
}

function parseSeconds(text: string): number {
  return parseWhole(text, 0, 86_400);
}

/** What a server may keep in memory: see `fill`. */
function parseMebibytes(text: string): number {
  return parseWhole(text, 16, 16_384);
}

function parseWhole(text: string, low: number, high: number): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= low && value <= high) return value;
  throw new InvalidArgumentError(`Give a whole number from ${String(low)} to ${String(high)}.`);
}

function parseLimit(text: string): number {
  try {
    return parseRate(text);
  } catch (error) {
    throw new InvalidArgumentError(describe(error));
  }
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

await program.parseAsync();
