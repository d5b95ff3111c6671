import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { findProgram, OwnedProcess } from '../../process/index.js';

import { QEMU_PACKAGE, QEMU_PROGRAM } from './program.js';

export type Accelerator = 'kvm' | 'tcg';

export interface ProbeResult {
  readonly accelerator: Accelerator;
  readonly usable: boolean;
  /** Why not, for a person. */
  readonly reason: string;
  readonly seconds: number;
}

const PROBE_TIMEOUT_MS = 20_000;
/** Where the probe's guest reports that it ran; QEMU then exits with (value << 1) | 1. */
const EXIT_PORT = 0xf4;
const EXIT_VALUE = 0x2a;

/**
 * Runs a guest of a few instructions under `accelerator` and waits for its word. The existence of
 * /dev/kvm says nothing: there are hosts where it opens and every guest hangs.
 */
export async function probeAccelerator(
  accelerator: Accelerator,
  options: { timeoutMs?: number } = {},
): Promise<ProbeResult> {
  const started = Date.now();
  const timeoutMs = options.timeoutMs ?? PROBE_TIMEOUT_MS;
  const program = await findProgram(QEMU_PROGRAM, QEMU_PACKAGE);
  const directory = await mkdtemp(join(tmpdir(), 'reprise-probe-'));
  try {
    const disk = join(directory, 'boot');
    await writeFile(disk, bootSector());
    const qemu = await OwnedProcess.start(program, [
      ...['-accel', accelerator, '-cpu', 'qemu64', '-m', '16M'],
      ...['-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot'],
      ...['-blockdev', `driver=file,filename=${disk},node-name=boot`],
      ...['-device', 'ide-hd,drive=boot'],
      ...['-device', `isa-debug-exit,iobase=${String(EXIT_PORT)},iosize=1`],
    ]);
    const timer = setTimeout(() => {
      qemu.child.kill('SIGKILL');
    }, timeoutMs);
    const exit = await qemu.exited;
    clearTimeout(timer);
    const usable = exit.code === ((EXIT_VALUE << 1) | 1);
    const reason = usable
      ? 'a guest ran'
      : exit.signal === 'SIGKILL'
        ? `a guest did not run within ${String(timeoutMs / 1000)} s`
        : exit.lastWords || `QEMU ended with code ${String(exit.code)}`;
    return { accelerator, usable, reason, seconds: (Date.now() - started) / 1000 };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** 16-bit code: mov al, VALUE; out PORT, al; hlt; jmp back. */
function bootSector(): Buffer {
  const sector = Buffer.alloc(512);
  Buffer.from([0xb0, EXIT_VALUE, 0xe6, EXIT_PORT, 0xf4, 0xeb, 0xfd]).copy(sector);
  sector.writeUInt16LE(0xaa55, 510);
  return sector;
}
