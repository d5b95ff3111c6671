import { spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import { GuestError, systemErrorCode } from './errors.js';

/** How much of a command's output is kept for the error message, in characters. */
const TAIL_LENGTH = 4096;
/** How long a command may take to end after SIGTERM before it is killed. */
const TERMINATION_GRACE_MS = 5000;

export interface CommandOptions {
  readonly cwd?: string;
  /** Added to this process's environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** Ends the command and everything it started. */
  readonly signal?: AbortSignal | undefined;
  /** Receives each line of standard output and standard error. */
  readonly onLine?: (line: string) => void;
  readonly timeoutMs: number;
}

/**
 * Runs a program to its end and returns the last part of its output.
 *
 * The program leads a process group of its own, so that cancelling ends its children too, and a Ctrl-C at
 * the terminal reaches this process first, which then cleans up in order.
 *
 * @throws GuestError GUEST_PROGRAM_MISSING, GUEST_COMMAND_FAILED, GUEST_COMMAND_TIMEOUT, GUEST_BUILD_CANCELLED
 */
export async function runCommand(
  program: string,
  args: readonly string[],
  options: CommandOptions,
): Promise<string> {
  const { signal } = options;
  throwIfCancelled(signal);
  const child = spawn(program, args, {
    cwd: options.cwd,
    env: { ...process.env, ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  let tail = '';
  const keep = (line: string): void => {
    tail = (tail + line + '\n').slice(-TAIL_LENGTH);
    options.onLine?.(line);
  };
  forEachLine(child.stdout, keep);
  forEachLine(child.stderr, keep);

  let stopped: 'cancelled' | 'timeout' | undefined;
  let killTimer: NodeJS.Timeout | undefined;
  const stop = (reason: 'cancelled' | 'timeout'): void => {
    if (stopped !== undefined) return;
    stopped = reason;
    signalGroup(child.pid, 'SIGTERM');
    killTimer = setTimeout(() => {
      signalGroup(child.pid, 'SIGKILL');
    }, TERMINATION_GRACE_MS);
  };
  const onAbort = (): void => {
    stop('cancelled');
  };
  signal?.addEventListener('abort', onAbort, { once: true });
  const deadline = setTimeout(() => {
    stop('timeout');
  }, options.timeoutMs);

  try {
    const status = await new Promise<number | NodeJS.Signals>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code, killedBy) => {
        resolve(code ?? killedBy ?? 'SIGKILL');
      });
    });
    throwIfCancelled(signal);
    if (stopped === 'timeout') {
      throw new GuestError(
        'GUEST_COMMAND_TIMEOUT',
        `${program} did not finish within ${options.timeoutMs / 1000} s. Try again on a less loaded machine; its last output was:\n${tail}`,
        { program, args, tail },
      );
    }
    if (status !== 0) {
      throw new GuestError(
        'GUEST_COMMAND_FAILED',
        `${program} ended with ${status}. Correct what its last output names and run this again:\n${tail}`,
        { program, args, status, tail },
      );
    }
    return tail;
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') {
      throw new GuestError(
        'GUEST_PROGRAM_MISSING',
        `The program ${program} is not installed. Run "npm run setup", which installs what reprise needs or names the command that does.`,
        { program },
        error,
      );
    }
    throw error;
  } finally {
    clearTimeout(deadline);
    clearTimeout(killTimer);
    signal?.removeEventListener('abort', onAbort);
  }
}

/** @throws GuestError GUEST_BUILD_CANCELLED if `signal` has fired. */
export function throwIfCancelled(signal: AbortSignal | undefined): void {
  if (signal?.aborted) {
    throw new GuestError(
      'GUEST_BUILD_CANCELLED',
      'Building the guest was cancelled and nothing of it was kept. Run the same command again to build it.',
      {},
      signal.reason,
    );
  }
}

/** Signals every process of the group that `pid` leads; a group that is already gone is no error. */
export function signalGroup(pid: number | undefined, name: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, name);
  } catch (error) {
    if (systemErrorCode(error) !== 'ESRCH') throw error;
  }
}

function forEachLine(stream: Readable, onLine: (line: string) => void): void {
  let rest = '';
  stream.setEncoding('utf8');
  stream.on('data', (text: string) => {
    const lines = (rest + text).split(/\r?\n/);
    // A line that never ends must not grow without bound.
    rest = (lines.pop() ?? '').slice(-TAIL_LENGTH);
    for (const line of lines) onLine(line);
  });
  stream.on('end', () => {
    if (rest !== '') onLine(rest);
  });
}
