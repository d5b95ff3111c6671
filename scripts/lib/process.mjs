// Runs programs so that nothing outlives this one: each leads a process group, which is ended on a time limit,
// on Ctrl-C and on SIGTERM.
import { spawn } from 'node:child_process';
import { constants } from 'node:os';

const GRACE_MS = 10_000;
const STDIO = {
  all: ['ignore', 'inherit', 'inherit'],
  stderr: ['ignore', 2, 2],
  nothing: ['ignore', 'pipe', 'pipe'],
};
const running = new Set();
let interrupted;

for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(name, () => {
    interrupted ??= name;
    process.exitCode = 128 + constants.signals[name];
    if (running.size === 0) process.exit();
    for (const stop of running) stop();
  });
}

/** Whether somebody asked this program to stop. */
export const isInterrupted = () => interrupted !== undefined;

/**
 * @param {string} program
 * @param {readonly string[]} args
 * @param {{ cwd?: string, env?: Record<string, string>, show?: 'all' | 'stderr' | 'nothing', timeoutMs?: number }} [o]
 *   show: let the output through (the default), all of it on standard error, or keep it and return it
 * @returns {Promise<{ status: number, timedOut: boolean, output: string }>} status 127: no such program
 */
export function run(program, args, o = {}) {
  return new Promise((resolve) => {
    let output = '';
    let timedOut = false;
    let kill;
    const child = spawn(program, args, {
      cwd: o.cwd,
      env: { ...process.env, ...o.env },
      stdio: STDIO[o.show ?? 'all'],
      detached: true,
    });
    const signal = (name) => {
      try {
        process.kill(-child.pid, name);
      } catch (error) {
        if (error.code !== 'ESRCH') throw error;
      }
    };
    const stop = () => {
      if (child.pid === undefined) return;
      signal('SIGTERM');
      kill ??= setTimeout(() => signal('SIGKILL'), GRACE_MS);
    };
    const limit =
      o.timeoutMs === undefined
        ? undefined
        : setTimeout(() => {
            timedOut = true;
            stop();
          }, o.timeoutMs);
    const finish = (status) => {
      clearTimeout(limit);
      clearTimeout(kill);
      running.delete(stop);
      if (interrupted !== undefined && running.size === 0) process.exit();
      resolve({ status, timedOut, output });
    };
    running.add(stop);
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text) => {
        output = (output + text).slice(-1_000_000);
      });
    }
    child.once('error', () => finish(127));
    child.once('close', (code, name) => finish(code ?? 128 + constants.signals[name]));
  });
}

/** Ends this program with a sentence that says what to do. */
export function fail(message, status = 1) {
  console.error(`reprise: ${message}`);
  process.exit(status);
}

export const say = (message) => console.error(`reprise: ${message}`);
