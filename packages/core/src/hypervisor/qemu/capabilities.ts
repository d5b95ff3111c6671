import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

import type { Machine } from '../../machine/index.js';
import { findProgram } from '../../process/index.js';

import { probeAccelerator } from './probe.js';
import { QEMU_PACKAGE, QEMU_PROGRAM } from './program.js';

const run = promisify(execFile);

export interface QemuCapabilities {
  readonly program: string;
  /** As QEMU prints it: `QEMU emulator version 7.2.22 (…)`. */
  readonly version: string;
  readonly machineTypes: readonly string[];
}

/** What the installed QEMU is. Throws MISSING_PROGRAM. */
export async function qemuCapabilities(): Promise<QemuCapabilities> {
  const program = await findProgram(QEMU_PROGRAM, QEMU_PACKAGE);
  const [version, machines] = await Promise.all([
    run(program, ['--version'], { timeout: 20_000 }),
    run(program, ['-machine', 'help'], { timeout: 20_000 }),
  ]);
  return {
    program,
    version: version.stdout.split('\n')[0] ?? '',
    machineTypes: machines.stdout
      .split('\n')
      .map((line) => /^(\S+)/.exec(line)?.[1] ?? '')
      .filter((name) => name.startsWith('pc-')),
  };
}

/** Why this host cannot run `machine`, each a sentence; none when it can. */
export async function obstaclesToRun(machine: Machine): Promise<string[]> {
  let capabilities: QemuCapabilities;
  try {
    capabilities = await qemuCapabilities();
  } catch {
    return [`QEMU is not installed (Debian: apt-get install ${QEMU_PACKAGE})`];
  }
  const obstacles: string[] = [];
  if (!capabilities.machineTypes.includes(machine.machineType)) {
    obstacles.push(
      `${capabilities.version} does not know the machine type ${machine.machineType}; install the QEMU version of the other host`,
    );
  }
  const { usable, reason } = await probeAccelerator(machine.accelerator);
  if (!usable) {
    obstacles.push(`the accelerator ${machine.accelerator} does not run guests here (${reason})`);
  }
  return obstacles;
}
