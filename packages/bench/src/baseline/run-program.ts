import { spawn } from 'node:child_process';

const KEPT_ERROR_CHARACTERS = 500;

export interface RunOptions {
  readonly signal?: AbortSignal;
  /** Takes the standard output as it comes; it is not kept then. */
  readonly onOutput?: (chunk: Buffer) => void;
  /** Give what it writes to its standard error too: some programs tell their version there. */
  readonly withErrors?: boolean;
}

/** Runs a program to its end; its standard output. Throws with its standard error otherwise. */
export async function runProgram(
  program: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<string> {
  const { signal, onOutput, withErrors } = options;
  signal?.throwIfAborted();
  const child = spawn(program, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    // Programs sort and group digits by the locale; we read what they print.
    env: { ...process.env, LC_ALL: 'C' },
    ...(signal === undefined ? {} : { signal }),
  });
  const output: Buffer[] = [];
  let errors = '';
  child.stdout.on('data', onOutput ?? ((chunk: Buffer) => output.push(chunk)));
  if (withErrors === true)
    child.stderr.on('data', (chunk: Buffer) => output.push(Buffer.from(chunk)));
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors = (errors + text).slice(-KEPT_ERROR_CHARACTERS);
  });
  return await new Promise((resolve, reject) => {
    child.once('error', (cause) => {
      if (signal?.aborted === true) reject(cause);
      else {
        const message = `${program} could not run: ${cause.message}. Run pnpm run setup.`;
        reject(new Error(message, { cause }));
      }
    });
    child.once('close', (code, killedBy) => {
      if (code === 0) resolve(Buffer.concat(output).toString());
      else {
        const end = killedBy ?? `code ${String(code)}`;
        reject(new Error(`${program} ended with ${end}: ${errors.trim()}`));
      }
    });
  });
}
