import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { createOverlay } from '../overlay.js';
import { ServingProcess } from '../testing/run.js';

/** A running NBD server over its own copy of the image. */
export interface BenchServer extends AsyncDisposable {
  readonly name: 'ours' | 'untracked' | 'qemuNbd' | 'nbdkit';
  readonly uri: string;
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, 'exit');
  child.kill('SIGTERM');
  await exit;
}

async function startProgram(
  name: 'qemuNbd' | 'nbdkit',
  program: string,
  args: string[],
  socketPath: string,
): Promise<BenchServer> {
  const child = spawn(program, args, { stdio: 'ignore' });
  const failed = once(child, 'error').then(([error]) => {
    throw error as Error;
  });
  const listening = async (): Promise<void> => {
    for (let i = 0; i < 200; i++) {
      if (child.exitCode !== null) break;
      try {
        await access(socketPath);
        return;
      } catch {
        await sleep(25); // not there yet
      }
    }
    throw new Error(`${program} did not listen. Install qemu-utils and nbdkit.`);
  };
  failed.catch(() => undefined); // only the race below is interested
  await Promise.race([listening(), failed]);
  return {
    name,
    uri: `nbd+unix:///?socket=${socketPath}`,
    [Symbol.asyncDispose]: () => stop(child),
  };
}

/** Our driver over `base` with an overlay of its own. */
export async function startOurs(
  dir: string,
  base: string,
  sizeBytes: bigint,
  tracking: boolean,
): Promise<BenchServer> {
  const name = tracking ? 'ours' : 'untracked';
  const overlay = join(dir, `${name}.overlay`);
  await createOverlay(overlay, { sizeBytes });
  const socketPath = join(dir, `${name}.sock`);
  const serving = await ServingProcess.start({
    chain: { base, layers: [], overlay },
    open: { withoutTracking: !tracking },
    serve: { socketPath },
  });
  return {
    name,
    uri: `nbd+unix:///disk?socket=${socketPath}`,
    [Symbol.asyncDispose]: () => serving.kill('SIGTERM'),
  };
}

export function startQemuNbd(dir: string, image: string): Promise<BenchServer> {
  const socketPath = join(dir, 'qemu.sock');
  const args = ['-f', 'raw', '--cache=writeback', '-t', '-e', '16', '-k', socketPath, image];
  return startProgram('qemuNbd', 'qemu-nbd', args, socketPath);
}

export function startNbdkit(dir: string, image: string): Promise<BenchServer> {
  const socketPath = join(dir, 'nbdkit.sock');
  return startProgram('nbdkit', 'nbdkit', ['-f', '-U', socketPath, 'file', image], socketPath);
}
