import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { closeSync, cpSync, openSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

import { VirtualDisk, xenDiskFile } from '../index.js';
import { XenGuest, tool, until } from './xen-guest.js';
import {
  commandLine,
  configure,
  deviceModel,
  digest,
  fileSystemBlocks,
  newChain,
  processes,
  rawBlocks,
  report,
  results,
  saveAndRestore,
  say,
  scatteredWrites,
  takeTrace,
  traceOn,
  work,
} from './xen-job.js';

/** A second disk comes and goes while the guest runs. */
async function attachAndDetach(guest: XenGuest): Promise<void> {
  const chain = await newChain('g1-b');
  await writeFile(`${work}/g1-b.disk`, xenDiskFile(chain));
  const disk = `format=raw,vdev=xvdb,access=rw,backendtype=qdisk,target=${work}/g1-b.disk`;
  await tool('xl', ['block-attach', 'g1', disk]);
  await guest.run('while [ ! -b /dev/xvdb ]; do usleep 100000; done');
  await guest.run('dd if=/dev/urandom of=/dev/xvdb bs=64k count=4 oflag=direct 2>/dev/null; sync');
  const seen = await guest.run('dd if=/dev/xvdb bs=64k count=4 2>/dev/null | md5sum');
  await tool('xl', ['block-detach', 'g1', 'xvdb']);
  await guest.run('while [ -e /sys/block/xvdb ]; do usleep 100000; done');
  // Its device model goes on and gives this disk free.
  await using detached = await until('the overlay of xvdb', () =>
    VirtualDisk.open(chain).catch(() => undefined),
  );
  const found = createHash('md5')
    .update(await detached.read(0n, 4 << 16))
    .digest('hex');
  report['detachedDiskHolds'] = seen.startsWith(found);
  say('g1 had a second disk');
}

/** Plain `xl create`, `save` and `restore`: libxl starts our device model. */
export async function deviceModelRoute(): Promise<void> {
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
  await attachAndDetach(guest);
  await guest.start('poweroff -f');
  guest.detach();
  await until('the device model to end', () =>
    processes('reprise-device-model').length === 0 ? true : undefined,
  );
  cpSync(chain.overlay, `${results}/g1-overlay`, { recursive: true });
  say('g1 is off');
}
