import { readFile } from 'node:fs/promises';

import { RepriseError } from '@reprise/core';
import { CommanderError } from 'commander';

import { exitCodeOf, exitCodes } from './exit-codes.js';
import { buildProgram } from './program.js';

/** Runs one command line and sets the process's exit code. */
export async function main(argv: readonly string[]): Promise<void> {
  const manifest = new URL('../package.json', import.meta.url);
  const { version } = JSON.parse(await readFile(manifest, 'utf8')) as { version: string };
  const program = buildProgram(version);
  for (const command of [
    program,
    ...program.commands,
    ...program.commands.flatMap((c) => c.commands),
  ]) {
    command.exitOverride();
  }
  try {
    await program.parseAsync(argv);
  } catch (error) {
    process.exitCode = report(error, argv.includes('--json'));
  }
}

/** Says what went wrong, once: a sentence with the next step, or JSON for programs. */
function report(error: unknown, json: boolean): number {
  if (error instanceof CommanderError) {
    // Commander has printed its own message; help and version are no errors.
    return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
  }
  const code = error instanceof RepriseError ? error.code : 'INTERNAL';
  const message = error instanceof Error ? error.message : String(error);
  if (json) process.stderr.write(`${JSON.stringify({ error: { code, message } })}\n`);
  else process.stderr.write(`reprise: ${message}\n`);
  if (process.env['REPRISE_DEBUG'] === '1') console.error(error);
  return exitCodeOf(error);
}
