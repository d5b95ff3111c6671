import { spawn } from 'node:child_process';
import type { ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';

import type { ServeDiskArguments } from './serve-disk.js';

export interface RunResult {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** A client whose server was killed may complain without end. */
const keptErrorCharacters = 65_536;

/** Runs a program to its end, at most `timeoutMs`. */
export async function run(
  program: string,
  args: readonly string[],
  timeoutMs = 60_000,
): Promise<RunResult> {
  const child = spawn(program, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: timeoutMs,
    killSignal: 'SIGKILL',
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr = (stderr + text).slice(-keptErrorCharacters);
  });
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, stdout, stderr };
}

/** The same, throwing with what the program said unless it exits with 0. */
export async function runOk(program: string, args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await run(program, args);
  if (code !== 0) throw new Error(`${program} exited with ${String(code)}: ${stderr}${stdout}`);
  return stdout;
}

/** A process of its own that serves a disk; it is gone when the test is. */
export class ServingProcess implements AsyncDisposable {
  private constructor(readonly child: ChildProcessByStdio<null, Readable, null>) {}

  /** Resolves when it listens. `prefix` is a program, with arguments, that in the end executes the driver's. */
  static async start(
    o: ServeDiskArguments,
    prefix: readonly string[] = [],
  ): Promise<ServingProcess> {
    const script = fileURLToPath(new URL('../../dist/testing/serve-disk.js', import.meta.url));
    const command = [...prefix, process.execPath, script, JSON.stringify(o)];
    const [program = process.execPath, ...args] = command;
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    const serving = new ServingProcess(child);
    const ended = once(child, 'exit').then(([code]) => {
      throw new Error(`serve-disk exited with ${String(code)} before it listened`);
    });
    await Promise.race([once(child.stdout, 'data'), ended]);
    ended.catch(() => undefined); // from here on an exit is the test's own doing
    return serving;
  }

  async kill(signal: NodeJS.Signals): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const exit = once(this.child, 'exit');
    this.child.kill(signal);
    await exit;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.kill('SIGKILL');
  }
}
