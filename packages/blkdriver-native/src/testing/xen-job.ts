// What the scenarios of the Xen end-to-end test have in common; all of it runs in dom0.
import { readFileSync, readlinkSync, readdirSync } from 'node:fs';
import { appendFile, writeFile } from 'node:fs/promises';

import { createOverlay } from '../index.js';
import type { DiskChain } from '../index.js';
import { tool } from './xen-guest.js';
import type { XenGuest } from './xen-guest.js';

export const results = process.argv[2] ?? '/results';
export const work = '/var/tmp';
export const base = '/payload/base.img';
export const deviceModel = '/payload/bin/reprise-device-model';
const diskBytes = 24n << 20n;
/** The file system has the first 16 MiB; test writes go behind it. */
export const fileSystemBlocks = 4096;
export const rawBlocks = 2048;

export const report: Record<string, unknown> = {};
const trace = '/sys/kernel/tracing';

export function say(text: string): void {
  process.stdout.write(`xen: ${process.uptime().toFixed(1)} s ${text}\n`);
}

/** The same numbers in every run. */
function* numbers(seed: number): Generator<number, never> {
  let state = seed;
  for (;;) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    yield state >>> 8;
  }
}

export async function newChain(name: string): Promise<DiskChain> {
  const overlay = `${work}/${name}`;
  await createOverlay(overlay, { sizeBytes: diskBytes });
  return { base, layers: [], overlay };
}

export async function configure(name: string, lines: readonly string[]): Promise<string> {
  const path = `${work}/${name}.cfg`;
  const common = [
    ...[`name="${name}"`, 'type="pv"', 'kernel="/guest/vmlinux"', 'ramdisk="/guest/initrd"'],
    ...['memory=144', 'vcpus=1', 'on_crash="destroy"', 'on_poweroff="destroy"'],
  ];
  await writeFile(path, [...common, ...lines].join('\n') + '\n');
  return path;
}

export const commandLine = (blkfront: string): string =>
  `extra="console=hvc0 quiet loglevel=4 mitigations=off nokaslr rdinit=/init blkfront=${blkfront}"`;

export async function traceOn(guest: XenGuest): Promise<void> {
  await guest.run(
    `echo 8192 > ${trace}/buffer_size_kb; for e in issue requeue; do echo 1 > ${trace}/events/block/block_rq_$e/enable; done`,
  );
}

/** What the guest's kernel says it sent to its disks since the last time, a line each. */
export async function takeTrace(guest: XenGuest, phase: string): Promise<void> {
  // Field by field: the event's name, device, operation, sector, sectors.
  const program =
    '/block_rq_/ { sub(/^.*block_rq_/, ""); sub(/\\(.*\\)/, ""); print $1, $2, $3, $(NF-3), $(NF-1) }';
  const lines = await guest.run(
    `echo 0 > ${trace}/tracing_on; awk '${program}' ${trace}/trace; grep -H overrun ${trace}/per_cpu/cpu0/stats; echo > ${trace}/trace; echo 1 > ${trace}/tracing_on`,
  );
  await appendFile(`${results}/${guest.name}.trace`, `phase ${phase}\n${lines}`);
}

/** One block each, in an order of the test's own. */
export function scatteredWrites(device: string, seed: number, count: number): string {
  const random = numbers(seed);
  const blocks = Array.from({ length: count }, () => random.next().value % (rawBlocks - 256));
  return `for b in ${blocks.join(' ')}; do dd if=/dev/urandom of=${device} bs=4k count=1 seek=$((${fileSystemBlocks}+b)) oflag=direct conv=notrunc 2>/dev/null || exit 1; done`;
}

export async function digest(guest: XenGuest, device: string): Promise<string> {
  await guest.run('sync; echo 3 > /proc/sys/vm/drop_caches');
  const output = await guest.run(`md5sum ${device}`);
  return output.trim().split(' ')[0] ?? '';
}

export async function saveAndRestore(
  guest: XenGuest,
  restoreOptions: readonly string[],
): Promise<void> {
  const file = `${work}/${guest.name}.save`;
  guest.detach();
  await tool('xl', ['save', guest.name, file]);
  await tool('xl', ['restore', ...restoreOptions, file]);
  await tool('rm', [file]);
}

/** Every process whose program is `name`: the wrapper's loader is what /proc shows as the program. */
export function processes(name: string): number[] {
  return readdirSync('/proc')
    .filter((pid) => /^\d+$/.test(pid))
    .map(Number)
    .filter((pid) => {
      try {
        readlinkSync(`/proc/${pid}/exe`); // a kernel thread has none
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(`/libexec/${name}\0`);
      } catch {
        return false;
      }
    });
}
