#!/usr/bin/env node
import { access, constants, writeFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';

import { parseRate } from '@reprise/core';
import { Command, InvalidArgumentError, Option } from 'commander';

import { runBenchmark } from './benchmark.js';
import { sessionNames } from './session/index.js';

const INTERRUPTED = 130;
const STOPPING = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

interface Arguments {
  readonly session?: readonly string[];
  readonly runs: number;
  readonly limit: number;
  readonly json?: string;
}

const program = new Command('bench')
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

async function bench(options: Arguments): Promise<void> {
  const cancelling = new AbortController();
  const cancel = () => {
    process.stderr.write('bench: cancelling; once more ends at once and leaves files behind\n');
    cancelling.abort();
  };
  for (const name of STOPPING) process.once(name, cancel);
  const startedMs = performance.now();
  try {
    if (options.json !== undefined) await checkWritable(options.json);
    const result = await runBenchmark({
      sessions: options.session ?? sessionNames,
      runs: options.runs,
      bytesPerSecond: options.limit,
      signal: cancelling.signal,
      onProgress: (text) => {
        const seconds = ((performance.now() - startedMs) / 1000).toFixed(1).padStart(7);
        process.stderr.write(`${seconds} s  ${text}\n`);
      },
      onTable: (text) => process.stdout.write(`${text}\n\n`),
    });
    if (options.json !== undefined) {
      await writeFile(options.json, `${JSON.stringify(result, undefined, 2)}\n`);
    }
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

function parseCount(text: string): number {
  const count = Number(text);
  if (Number.isInteger(count) && count >= 1 && count <= 100) return count;
  throw new InvalidArgumentError('Give a whole number from 1 to 100.');
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
