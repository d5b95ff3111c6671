import { createHash } from 'node:crypto';

import type { Machine } from '../../machine/index.js';
import type { StartOptions } from '../port.js';

import { BALLOON_ID } from './balloon.js';
import { networkArguments } from './network.js';
import { ICOUNT_SHIFT } from './vclock-plugin.js';

/** What stands for the paths of one run where the arguments of two hosts are compared. */
const ANY_RUN = {
  ...{ ramFile: '<ram>', diskSocket: '<disk>', diskExport: '<export>', runDirectory: '<run>' },
  ...{ boot: { kernel: '<kernel>', initrd: '<initrd>' }, deviceState: '<state>' },
  gate: 'closed' as const,
};

/** SHA-256 of what QEMU is started with for a guest in virtual time, wherever its files are. */
export function argumentsDigest(machine: Machine): string {
  const args = [
    ...qemuArguments({ ...ANY_RUN, machine }),
    ...virtualClockArguments(ANY_RUN.runDirectory, '<plugin>'),
  ];
  return createHash('sha256').update(JSON.stringify(args)).digest('hex');
}

/** Where a run's sockets stand. */
export interface QemuSockets {
  readonly control: string;
  readonly display: string;
  readonly serialLog: string;
  /** Where the plugin for virtual time listens. */
  readonly virtualClock: string;
}

export function socketsIn(runDirectory: string): QemuSockets {
  return {
    control: `${runDirectory}/qmp`,
    display: `${runDirectory}/display`,
    serialLog: `${runDirectory}/serial.log`,
    virtualClock: `${runDirectory}/vclock`,
  };
}

/** Seconds during which QEMU holds the guest's requests while the disk's server is away. */
const DISK_RECONNECT_SECONDS = 60;

/**
 * What makes a guest's time count instructions. One instruction is 2^shift ns; an idle guest's clock jumps to
 * its next timer instead of sleeping, which is what makes a replay faster than the session was.
 */
export function virtualClockArguments(runDirectory: string, plugin: string): string[] {
  const socket = socketsIn(runDirectory).virtualClock;
  return [
    ...['-icount', `shift=${String(ICOUNT_SHIFT)},sleep=off`],
    ...['-plugin', `file=${escapeComma(plugin)},socket=${escapeComma(socket)}`],
  ];
}

/**
 * Turns a machine into QEMU's arguments. Everything here is either a constant, a number, or a value
 * that the machine's schema has checked: this is where a peer's definition stops being data.
 */
export function qemuArguments(options: StartOptions): string[] {
  const { machine } = options;
  const sockets = socketsIn(options.runDirectory);
  const ram = `memory-backend-file,id=ram,size=${String(machine.memoryMiB)}M,mem-path=${escapeComma(options.ramFile)},share=on`;
  return [
    // A stopped guest, and nothing that the machine does not name.
    ...['-nodefaults', '-no-user-config', '-S'],
    ...['-name', 'reprise'],
    ...['-sandbox', 'on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny'],
    ...['-accel', machine.accelerator],
    ...['-machine', `${machine.machineType},memory-backend=ram,usb=off,vmport=off`],
    ...['-cpu', machine.cpuModel],
    ...['-smp', String(machine.cpus)],
    ...['-m', `${String(machine.memoryMiB)}M`],
    ...['-object', ram],
    // The same clock and the same seed on every host: a replay starts from what the session saw.
    ...['-rtc', `base=${machine.clockBase},clock=vm`],
    ...['-seed', String(machine.seed)],
    ...displayArguments(options, sockets),
    ...diskArguments(options),
    ...networkArguments(options),
    ...(machine.balloon
      ? ['-device', `virtio-balloon-pci,id=${BALLOON_ID},free-page-reporting=on`]
      : []),
    ...bootArguments(options),
    ...['-serial', `file:${escapeComma(sockets.serialLog)}`],
    ...['-qmp', `unix:${escapeComma(sockets.control)},server=on,wait=off`],
    ...(options.deviceState === undefined ? [] : ['-incoming', 'defer']),
  ];
}

function displayArguments({ machine }: StartOptions, sockets: QemuSockets): string[] {
  const { width, height } = machine.display;
  return [
    ...['-display', 'none'],
    // Keys go in as they come. By default QEMU queues each for 10 ms, and drops what its queue does not hold; here
    // whoever sends them waits for the guest instead.
    // Nor does it press Caps Lock or Num Lock where a keysym does not fit what it believes of them: it believes nothing at its
    // start, so that a replay of joined sessions in one QEMU would press them at other places than the recording did in several.
    ...['-vnc', `unix:${escapeComma(sockets.display)},key-delay-ms=0,lock-key-sync=off`],
    ...[
      '-device',
      `VGA,vgamem_mb=${String(displayMemoryMiB(width, height))},xres=${String(width)},yres=${String(height)}`,
    ],
    ...['-device', 'virtio-keyboard-pci'],
    // A tablet: absolute positions replay where relative motion would drift.
    ...['-device', 'virtio-tablet-pci'],
  ];
}

/** Room for two frames, in a power of two: what the guest's driver needs, and no more to move. */
function displayMemoryMiB(width: number, height: number): number {
  const frames = (2 * width * height * 4) / (1024 * 1024);
  return Math.max(8, 2 ** Math.ceil(Math.log2(frames)));
}

function diskArguments({ machine, diskSocket, diskExport }: StartOptions): string[] {
  const node = {
    driver: 'nbd',
    'node-name': 'disk0',
    server: { type: 'unix', path: diskSocket },
    export: diskExport,
    'reconnect-delay': DISK_RECONNECT_SECONDS,
    discard: 'unmap',
    cache: { direct: false, 'no-flush': false },
  };
  return [
    ...['-blockdev', JSON.stringify(node)],
    // On an error the guest is paused, never told: its disk comes back or the run ends.
    ...['-device', `virtio-blk-pci,drive=disk0,id=vblk0,werror=stop,rerror=stop${kick(machine)}`],
  ];
}

/**
 * In virtual time a device acts inside the instruction that kicks it, not whenever the main loop is ready. Keyboard,
 * tablet and balloon know no other way.
 */
function kick({ clock }: Machine): string {
  return clock === 'virtual' ? ',ioeventfd=off' : '';
}

function bootArguments({ machine, boot }: StartOptions): string[] {
  if (machine.boot.kind === 'firmware' || boot === undefined) return [];
  return [
    ...['-kernel', boot.kernel],
    ...(boot.initrd === undefined ? [] : ['-initrd', boot.initrd]),
    ...['-append', machine.boot.append],
  ];
}

/** QEMU's option lists end a value at a comma; a doubled one stands for itself. */
function escapeComma(value: string): string {
  return value.replaceAll(',', ',,');
}
