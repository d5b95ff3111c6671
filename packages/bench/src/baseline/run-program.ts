import { spawn } from 'node:child_process';

/** Runs a program to its end; its standard output. Throws with its standard error otherwise. */
export async function runProgram(
  program: string,
  args: readonly string[],
  options: { signal?: AbortSignal } = {},
): Promise<string> {
  const child = spawn(program, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  });
  let output = '';
  let errors = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text));
  return await new Promise((resolve, reject) => {
    child.once('error', (cause) => {
      reject(
        new Error(`${program} could not run: ${cause.message}. Run pnpm run setup.`, { cause }),
      );
    });
    child.once('close', (code) => {
      if (code === 0) resolve(output);
      else reject(new Error(`${program} ended with code ${String(code)}: ${errors.slice(-500)}`));
    });
  });
}
