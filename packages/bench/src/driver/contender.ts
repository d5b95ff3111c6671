import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import { createOverlay } from '@reprise/blkdriver-native';

import type { ServeArguments } from './serve-process.js';

const START_DEADLINE_MS = 20_000;
const STOP_DEADLINE_MS = 20_000;
const KEPT_COMPLAINTS = 500;

export type ContenderName = 'ours' | 'qemuNbd' | 'nbdkit';
/** One of them, or ours without tracking. */
export type ServerName = ContenderName | 'untracked';

/** A running NBD server over its own copy of the image. */
export interface Contender extends AsyncDisposable {
  readonly name: ServerName;
  /** How it was started, for the report. */
  readonly command: string;
  readonly uri: string;
  readonly pid: number;
}

export interface OurOptions {
  /** Where the overlay goes. */
  readonly directory: string;
  /** A short path, for the socket. */
  readonly sockets: string;
  readonly sizeBytes: number;
  readonly tracking: boolean;
  /** The processor that the server, with every thread, is kept on. */
  readonly cpu?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

interface Program {
  readonly program: string;
  readonly args: readonly string[];
  readonly socketPath: string;
  readonly exportName: string;
}

/** Our driver with an overlay of its own over `base`. */
export async function startOurs(base: string, o: OurOptions): Promise<Contender> {
  const name = o.tracking ? 'ours' : 'untracked';
  const overlay = join(o.directory, `${name}.overlay`);
  await createOverlay(overlay, { sizeBytes: BigInt(o.sizeBytes) });
  const socketPath = join(o.sockets, `${name}.sock`);
  const chain = { base, layers: [], overlay };
  return serveOurs(name, { chain, socketPath, tracking: o.tracking }, o.signal, o.cpu);
}

/** Any disk of ours, in a process of its own as a supervisor runs it. */
export function serveOurs(
  name: 'ours' | 'untracked',
  serve: ServeArguments,
  signal?: AbortSignal,
  cpu?: number,
): Promise<Contender> {
  const { socketPath } = serve;
  const script = fileURLToPath(new URL('serve-process.js', import.meta.url));
  const command = [process.execPath, script, JSON.stringify(serve)];
  if (cpu !== undefined) command.unshift('taskset', '--cpu-list', String(cpu));
  const [program = process.execPath, ...args] = command;
  return start(name, { program, args, socketPath, exportName: 'disk' }, signal);
}

/** Buffered, as the others are: nothing is synced that the client does not ask for. */
export function startQemuNbd(sockets: string, image: string, signal?: AbortSignal) {
  const socketPath = join(sockets, 'qemu.sock');
  const args = ['-f', 'raw', '--cache=writeback', '-t', '-e', '16', '-k', socketPath, image];
  return start('qemuNbd', { program: 'qemu-nbd', args, socketPath, exportName: '' }, signal);
}

export function startNbdkit(sockets: string, image: string, signal?: AbortSignal) {
  const socketPath = join(sockets, 'nbdkit.sock');
  const args = ['-f', '-U', socketPath, 'file', image];
  return start('nbdkit', { program: 'nbdkit', args, socketPath, exportName: '' }, signal);
}

async function start(name: ServerName, o: Program, signal?: AbortSignal): Promise<Contender> {
  const child = spawn(o.program, o.args, { stdio: ['ignore', 'ignore', 'pipe'] });
  let complaints = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaints = (complaints + text).slice(-KEPT_COMPLAINTS);
  });
  const failure = once(child, 'error').then(([error]) => error as Error);
  try {
    const problem = await Promise.race([failure, untilListening(child, o.socketPath, signal)]);
    if (problem !== undefined) throw problem;
  } catch (cause) {
    await stop(child);
    signal?.throwIfAborted();
    const message = `${o.program} did not start. Install qemu-utils and nbdkit. ${complaints}`;
    throw new Error(message, { cause });
  }
  return {
    name,
    command: [o.program, ...o.args].join(' '),
    uri: `nbd+unix:///${o.exportName}?socket=${o.socketPath}`,
    pid: child.pid ?? 0,
    [Symbol.asyncDispose]: () => stop(child),
  };
}

async function untilListening(
  child: ChildProcess,
  socketPath: string,
  signal?: AbortSignal,
): Promise<Error | undefined> {
  const deadline = performance.now() + START_DEADLINE_MS;
  while (performance.now() < deadline) {
    signal?.throwIfAborted();
    if (child.exitCode !== null) return new Error(`It ended with code ${String(child.exitCode)}.`);
    if (await answers(socketPath)) return undefined;
    await sleep(25);
  }
  return new Error(`It did not listen within ${String(START_DEADLINE_MS / 1000)} s.`);
}

function answers(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(socketPath);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => {
      resolve(false); // not there yet
    });
  });
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, 'exit');
  child.kill('SIGTERM');
  const slow = setTimeout(() => child.kill('SIGKILL'), STOP_DEADLINE_MS);
  await exit;
  clearTimeout(slow);
}
