// What the Xen end-to-end test does in dom0, in one boot: `node xen-dom0.js RESULTS-DIRECTORY`. Leaves there what the
// test judges: report.json, the block traces of the guests, and the overlays with their dirty logs.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { closeSync, cpSync, openSync, readFileSync, readlinkSync, readdirSync } from 'node:fs';
import { appendFile, writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

import { VirtualDisk, createOverlay, xenDiskFile } from '../index.js';
import type { DiskChain, XenStatistics } from '../index.js';
import { XenGuest, tool, until } from './xen-guest.js';

const results = process.argv[2] ?? '/results';
const work = '/var/tmp';
const base = '/payload/base.img';
const deviceModel = '/payload/bin/reprise-device-model';
const diskBytes = 24n << 20n;
/** The file system has the first 16 MiB; test writes go behind it. */
const fileSystemBlocks = 4096;
const rawBlocks = 2048;

const report: Record<string, unknown> = {};
const trace = '/sys/kernel/tracing';

function say(text: string): void {
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

async function newChain(name: string): Promise<DiskChain> {
  const overlay = `${work}/${name}`;
  await createOverlay(overlay, { sizeBytes: diskBytes });
  return { base, layers: [], overlay };
}

async function configure(name: string, lines: readonly string[]): Promise<string> {
  const path = `${work}/${name}.cfg`;
  const common = [
    ...[`name="${name}"`, 'type="pv"', 'kernel="/guest/vmlinux"', 'ramdisk="/guest/initrd"'],
    ...['memory=144', 'vcpus=1', 'on_crash="destroy"', 'on_poweroff="destroy"'],
  ];
  await writeFile(path, [...common, ...lines].join('\n') + '\n');
  return path;
}

const commandLine = (blkfront: string): string =>
  `extra="console=hvc0 quiet loglevel=4 mitigations=off nokaslr rdinit=/init blkfront=${blkfront}"`;

async function traceOn(guest: XenGuest): Promise<void> {
  await guest.run(
    `echo 8192 > ${trace}/buffer_size_kb; for e in issue requeue; do echo 1 > ${trace}/events/block/block_rq_$e/enable; done`,
  );
}

/** What the guest's kernel says it sent to its disks since the last time, a line each. */
async function takeTrace(guest: XenGuest, phase: string): Promise<void> {
  // Field by field: the event's name, device, operation, sector, sectors.
  const program =
    '/block_rq_/ { sub(/^.*block_rq_/, ""); sub(/\\(.*\\)/, ""); print $1, $2, $3, $(NF-3), $(NF-1) }';
  const lines = await guest.run(
    `echo 0 > ${trace}/tracing_on; awk '${program}' ${trace}/trace; grep -H overrun ${trace}/per_cpu/cpu0/stats; echo > ${trace}/trace; echo 1 > ${trace}/tracing_on`,
  );
  await appendFile(`${results}/${guest.name}.trace`, `phase ${phase}\n${lines}`);
}

/** One block each, in an order of the test's own. */
function scatteredWrites(device: string, seed: number, count: number): string {
  const random = numbers(seed);
  const blocks = Array.from({ length: count }, () => random.next().value % (rawBlocks - 256));
  return `for b in ${blocks.join(' ')}; do dd if=/dev/urandom of=${device} bs=4k count=1 seek=$((${fileSystemBlocks}+b)) oflag=direct conv=notrunc 2>/dev/null || exit 1; done`;
}

async function digest(guest: XenGuest, device: string): Promise<string> {
  await guest.run('sync; echo 3 > /proc/sys/vm/drop_caches');
  const output = await guest.run(`md5sum ${device}`);
  return output.trim().split(' ')[0] ?? '';
}

async function saveAndRestore(guest: XenGuest, restoreOptions: readonly string[]): Promise<void> {
  const file = `${work}/${guest.name}.save`;
  guest.detach();
  await tool('xl', ['save', guest.name, file]);
  await tool('xl', ['restore', ...restoreOptions, file]);
  await tool('rm', [file]);
}

/** Every process whose program is `name`: the wrapper's loader is what /proc shows as the program. */
function processes(name: string): number[] {
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

/** Plain `xl create`, `save` and `restore`: libxl starts our device model. */
async function deviceModelRoute(): Promise<void> {
  const chain = await newChain('g1');
  await writeFile(`${work}/g1.disk`, xenDiskFile(chain));
  const config = await configure('g1', [
    commandLine('max_ring_page_order=2,max_indirect_segments=32'),
    `disk=["format=raw,vdev=xvda,access=rw,backendtype=qdisk,target=${work}/g1.disk"]`,
    `device_model_override="${deviceModel}"`,
    'device_model_version="qemu-xen-traditional"',
  ]);
  const guest = new XenGuest('g1');
  await tool('xl', ['create', config]);
  say('g1 created');
  await guest.ready();
  await guest.attach();
  await traceOn(guest);
  say('g1 is up');

  await guest.run(
    `blkdiscard -o $((${fileSystemBlocks}*4096)) -l $((${rawBlocks}*4096)) /dev/xvda`,
  );
  await guest.run(`/bin/mke2fs -q -t ext4 -b 4096 /dev/xvda ${fileSystemBlocks}`);
  await guest.run('mount -t ext4 -o discard /dev/xvda /mnt');
  await guest.run(
    'for i in 1 2 3 4 5 6; do dd if=/dev/urandom of=/mnt/f$i bs=100k count=3 conv=fsync 2>/dev/null; done; rm /mnt/f3; sync',
  );
  await guest.run('dd if=/dev/urandom of=/mnt/large bs=1M count=4 oflag=direct 2>/dev/null; sync');
  await guest.run('md5sum /mnt/f? /mnt/large > /tmp/sums; fstrim /mnt; sync');
  await guest.run(`( ${scatteredWrites('/dev/xvda', 1, 60)} )`);
  await guest.run('sync');
  await takeTrace(guest, 'quiet');
  say('g1 has a file system and has written');

  await guest.run(
    `( ${scatteredWrites('/dev/xvda', 2, 120)}; dd if=/dev/urandom of=/mnt/during bs=64k count=20 conv=fsync; echo $? > /tmp/writer ) > /dev/null 2>&1 & true`,
  );
  await sleep(500);
  await saveAndRestore(guest, []);
  await guest.attach();
  say('g1 is restored');
  await guest.run('while [ ! -e /tmp/writer ]; do usleep 100000; done; [ $(cat /tmp/writer) = 0 ]');
  await guest.run('sync; echo 3 > /proc/sys/vm/drop_caches; md5sum -c /tmp/sums');
  await guest.run('sync');
  await takeTrace(guest, 'restored');
  report['readBackAfterRestore'] = true;

  await guest.run(
    `( ${scatteredWrites('/dev/xvda', 3, 120)}; echo $? > /tmp/writer2 ) > /dev/null 2>&1 & true`,
  );
  await sleep(500);
  const [victim] = processes('reprise-device-model');
  if (victim === undefined) throw new Error('no device model runs');
  process.kill(victim, 'SIGKILL');
  await sleep(500);
  const wroteWithout = await guest.run('cat /tmp/writer2 2>/dev/null || echo waiting');
  report['guestWaitsWithoutBackend'] = wroteWithout.includes('waiting');
  const log = openSync(`${results}/device-model-2.log`, 'w');
  const successor = spawn(deviceModel, ['-d', String(guest.domainId)], {
    stdio: ['ignore', log, log],
    detached: true,
  });
  closeSync(log);
  successor.unref();
  await guest.run(
    'while [ ! -e /tmp/writer2 ]; do usleep 100000; done; [ $(cat /tmp/writer2) = 0 ]',
  );
  await guest.run('sync; echo 3 > /proc/sys/vm/drop_caches; md5sum -c /tmp/sums');
  await guest.run('umount /mnt; sync');
  await takeTrace(guest, 'taken-over');
  say('g1 has a new device model');

  await guest.run(`( ${scatteredWrites('/dev/xvda', 4, 20)} ); sync`);
  report['g1Digest'] = await digest(guest, '/dev/xvda');
  await takeTrace(guest, 'end');
  await guest.start('poweroff -f');
  guest.detach();
  await until('the device model to end', () =>
    processes('reprise-device-model').length === 0 ? true : undefined,
  );
  cpSync(chain.overlay, `${results}/g1-overlay`, { recursive: true });
  say('g1 is off');
}

/** Our own kind of backend, with the driver in this process, on a domain that waits paused. */
async function ownKindRoute(): Promise<void> {
  const chain = await newChain('g2');
  const readOnlyChain = await newChain('g2-ro');
  const config = await configure('g2', [commandLine('max_ring_page_order=0')]);
  const guest = new XenGuest('g2');
  await tool('xl', ['create', '-p', config]);
  await using disk = await VirtualDisk.open(chain);
  await using readOnlyDisk = await VirtualDisk.open(readOnlyChain);
  const statistics: Record<string, XenStatistics> = {};
  let domainId = Number(await tool('xl', ['domid', 'g2']));
  const features = { persistentGrants: false, flush: false } as const;
  const serve = () => disk.serveXen({ domainId, device: 'xvda', ...features });
  let vbd = await serve();
  const readOnly = await readOnlyDisk.serveXen({ domainId, device: 'xvdb', readOnly: true });
  await tool('xl', ['unpause', 'g2']);
  await guest.ready();
  await guest.attach();
  await traceOn(guest);
  say('g2 is up');

  await guest.run(`/bin/mke2fs -q -t ext4 -b 4096 /dev/xvda ${fileSystemBlocks}`);
  await guest.run(
    'mount -t ext4 /dev/xvda /mnt; dd if=/dev/urandom of=/mnt/f bs=1M count=3 conv=fsync 2>/dev/null; umount /mnt',
  );
  await guest.run(`( ${scatteredWrites('/dev/xvda', 5, 40)} ); sync`);
  await takeTrace(guest, 'quiet');
  statistics['quiet'] = vbd.statistics();
  const refused = await guest
    .run('dd if=/dev/zero of=/dev/xvdb bs=4k count=1 oflag=direct')
    .then(() => false)
    .catch(() => true);
  report['readOnlyRefusesWrites'] =
    refused && (await guest.run('cat /sys/block/xvdb/ro')).trim() === '1';
  report['readOnlyReads'] =
    (await digest(guest, '/dev/xvdb')) ===
    createHash('md5').update(readFileSync(base)).digest('hex');

  // A clean close and the same disk again: the guest sees a device go and come.
  await vbd.close();
  report['closedBy'] = await vbd.ended;
  report['deviceGone'] =
    (await guest.run('[ -e /sys/block/xvda ] && echo there || echo gone')).trim() === 'gone';
  vbd = await serve();
  await guest.run('while [ ! -b /dev/xvda ]; do usleep 100000; done');
  await guest.run(
    'mount -t ext4 /dev/xvda /mnt; md5sum /mnt/f > /tmp/sums; umount /mnt; md5sum /tmp/sums',
  );
  await takeTrace(guest, 'served-again');
  say('g2 lost its disk and has it again');

  // Handed on while the guest writes.
  await guest.run(
    `( ${scatteredWrites('/dev/xvda', 6, 80)}; echo $? > /tmp/writer ) > /dev/null 2>&1 & true`,
  );
  await sleep(300);
  await vbd.close({ leaveGuestWaiting: true });
  statistics['left'] = vbd.statistics();
  vbd = await serve();
  await guest.run('while [ ! -e /tmp/writer ]; do usleep 100000; done; [ $(cat /tmp/writer) = 0 ]');
  await guest.run('sync');
  await takeTrace(guest, 'handed-on');
  statistics['successor'] = vbd.statistics();
  report['g2Digest'] = await digest(guest, '/dev/xvda');
  say('g2 was handed on');

  // Saved and restored: a new domain, which is served before it goes on.
  await saveAndRestore(guest, ['-p']);
  report['savedEnds'] = await vbd.ended;
  await readOnly.ended;
  domainId = Number(await tool('xl', ['domid', 'g2']));
  vbd = await serve();
  await using again = await readOnlyDisk.serveXen({ domainId, device: 'xvdb', readOnly: true });
  await tool('xl', ['unpause', 'g2']);
  await guest.attach();
  report['g2DigestRestored'] = await digest(guest, '/dev/xvda');
  await guest.run(`( ${scatteredWrites('/dev/xvda', 7, 20)} ); sync`);
  await takeTrace(guest, 'restored');
  say('g2 is restored');

  // The domain vanishes in the middle of a write.
  await guest.run(`( ${scatteredWrites('/dev/xvda', 8, 600)} ) > /dev/null 2>&1 & true`);
  await sleep(500);
  guest.detach();
  await tool('xl', ['destroy', 'g2']);
  report['destroyedEnds'] = await vbd.ended;
  await again.ended;
  statistics['end'] = vbd.statistics();
  report['g2'] = statistics;
  await disk.close();
  cpSync(chain.overlay, `${results}/g2-overlay`, { recursive: true });
  say('g2 is destroyed');
}

/** On a running Xen host, and still: nobody listens for a domain that is not there. */
async function noSuchDomain(): Promise<void> {
  await using disk = await VirtualDisk.open(await newChain('nobody'));
  report['noSuchDomain'] = await disk
    .serveXen({ domainId: 4000, device: 'xvda' })
    .then(() => 'served')
    .catch((error: unknown) => (error as { code?: string }).code);
}

const started = Date.now();
const failures: string[] = [];
for (const scenario of [deviceModelRoute, ownKindRoute, noSuchDomain]) {
  try {
    await scenario();
  } catch (error) {
    failures.push(error instanceof Error ? (error.stack ?? error.message) : String(error));
    say(`failed: ${failures.at(-1) ?? ''}`);
    process.exitCode = 1;
  }
}
for (const name of readdirSync('/var/log/xen').filter((file) => file.endsWith('.log'))) {
  cpSync(`/var/log/xen/${name}`, `${results}/${name}`);
}
report['failures'] = failures;
report['seconds'] = (Date.now() - started) / 1000;
await writeFile(`${results}/report.json`, JSON.stringify(report, null, 2));
// Domains and their consoles may be left over after a failure; the machine is turned off anyway.
process.exit();
