import { spawn, type ChildProcess, type StdioOptions } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';

import { RepriseError } from '../errors.js';

/** How much of a child's standard error is kept for an error message. */
const LAST_WORDS_BYTES = 4096;
const TERM_GRACE_MS = 5_000;

export interface ProcessExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly lastWords: string;
}

export interface OwnedProcessOptions {
  readonly env?: NodeJS.ProcessEnv;
  /** Standard input, output and further descriptors; standard error is always read. */
  readonly stdio?: { readonly stdin?: 'ignore' | 'pipe'; readonly stdout?: 'ignore' | 'pipe' };
  /** Adds an IPC channel for Node children. */
  readonly ipc?: boolean;
  /** What to install when the program is missing. */
  readonly packageHint?: string;
  readonly onErrorOutput?: (text: string) => void;
}

/**
 * A child that cannot outlive us. The kernel sends it SIGKILL when this process dies, however it dies
 * (setpriv --pdeathsig), so that a killed supervisor leaves neither a hypervisor nor a disk server behind.
 */
export class OwnedProcess implements AsyncDisposable {
  readonly child: ChildProcess;
  /** Settles once the process has ended and its output is read. Never rejects. */
  readonly exited: Promise<ProcessExit>;
  #lastWords = '';
  #exit: ProcessExit | undefined;

  private constructor(child: ChildProcess, onErrorOutput: ((text: string) => void) | undefined) {
    this.child = child;
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#lastWords = (this.#lastWords + text).slice(-LAST_WORDS_BYTES);
      onErrorOutput?.(text);
    });
    this.exited = new Promise((resolve) => {
      child.once('close', (code, signal) => {
        this.#exit = { code, signal, lastWords: this.#lastWords.trim() };
        resolve(this.#exit);
      });
    });
  }

  /** Rejects with MISSING_PROGRAM when `program` cannot be started. */
  static async start(
    program: string,
    args: readonly string[],
    options: OwnedProcessOptions = {},
  ): Promise<OwnedProcess> {
    const stdio: StdioOptions = [
      options.stdio?.stdin ?? 'ignore',
      options.stdio?.stdout ?? 'ignore',
      'pipe',
    ];
    if (options.ipc === true) stdio.push('ipc');
    const child = spawn('setpriv', ['--pdeathsig', 'KILL', '--', program, ...args], {
      stdio,
      env: options.env ?? process.env,
    });
    const owned = new OwnedProcess(child, options.onErrorOutput);
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', (cause) => {
        reject(missing('setpriv', 'util-linux', cause));
      });
    });
    void owned.exited.then((exit) => {
      if (exit.code === 127) owned.#lastWords ||= missing(program, options.packageHint).message;
    });
    return owned;
  }

  get pid(): number {
    return this.child.pid ?? -1;
  }

  get running(): boolean {
    return this.#exit === undefined;
  }

  /** Settles when the process has ended by itself, or after `timeoutMs`. */
  async endsWithin(timeoutMs: number): Promise<boolean> {
    const patience = new AbortController();
    await Promise.race([
      this.exited,
      sleep(timeoutMs, undefined, { signal: patience.signal }).catch(() => undefined),
    ]);
    patience.abort();
    return !this.running;
  }

  /** Asks with SIGTERM, insists with SIGKILL after a grace period. Settles when the process is gone. */
  async stop(graceMs: number = TERM_GRACE_MS): Promise<ProcessExit> {
    if (this.running) {
      this.child.kill('SIGTERM');
      if (!(await this.endsWithin(graceMs))) this.child.kill('SIGKILL');
    }
    return await this.exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

function missing(program: string, packageHint?: string, cause?: unknown): RepriseError {
  const hint = packageHint === undefined ? '' : ` (Debian: apt-get install ${packageHint})`;
  return new RepriseError(
    'MISSING_PROGRAM',
    `${program} is not installed. Install it${hint} and try again.`,
    { cause, context: { program } },
  );
}
