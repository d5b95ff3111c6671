import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { cpSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

import { VirtualDisk, xenDiskFile } from '../index.js';
import type { XenStatistics, XenVbd } from '../index.js';
import { XenGuest, tool } from './xen-guest.js';
import {
  base,
  commandLine,
  configure,
  digest,
  fileSystemBlocks,
  newChain,
  report,
  results,
  saveAndRestore,
  say,
  scatteredWrites,
  takeTrace,
  traceOn,
  work,
} from './xen-job.js';

const features = { persistentGrants: false, flush: false } as const;

/** `reprise-blkback` takes the disk over, is killed amid writes, and `takeBack` serves it from here again. */
async function killedProgram(
  guest: XenGuest,
  disk: VirtualDisk,
  vbd: XenVbd,
  takeBack: () => Promise<XenVbd>,
): Promise<XenVbd> {
  const diskFile = `${work}/g2.disk`;
  await writeFile(diskFile, xenDiskFile({ base, layers: [], overlay: `${work}/g2` }, features));
  await vbd.close({ leaveGuestWaiting: true });
  await disk.close();
  const program = spawn('/payload/bin/reprise-blkback', [String(vbd.domainId), 'xvda', diskFile], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(program.stdout, 'data'); // it says that it is ready
  await guest.run(
    `( ${scatteredWrites('/dev/xvda', 9, 120)}; echo $? > /tmp/writer2 ) > /dev/null 2>&1 & true`,
  );
  await sleep(500);
  program.kill('SIGKILL');
  await once(program, 'exit');
  const wrote = await guest.run('cat /tmp/writer2 2>/dev/null || echo waiting');
  report['ownKindWaits'] = wrote.includes('waiting');
  const successor = await takeBack();
  await guest.run(
    'while [ ! -e /tmp/writer2 ]; do usleep 100000; done; [ $(cat /tmp/writer2) = 0 ]; sync',
  );
  await takeTrace(guest, 'killed');
  say('g2 lost its backend and has another');
  return successor;
}

/** Our own kind of backend, with the driver in this process, on a domain that waits paused. */
export async function ownKindRoute(): Promise<void> {
  const chain = await newChain('g2');
  const readOnlyChain = await newChain('g2-ro');
  const config = await configure('g2', [commandLine('max_ring_page_order=0')]);
  const guest = new XenGuest('g2');
  await tool('xl', ['create', '-p', config]);
  let disk = await VirtualDisk.open(chain);
  await using readOnlyDisk = await VirtualDisk.open(readOnlyChain);
  const statistics: Record<string, XenStatistics> = {};
  let domainId = Number(await tool('xl', ['domid', 'g2']));
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
  report['wrongDisk'] = await readOnlyDisk
    .serveXen({ domainId, device: 'xvda', ...features })
    .then(() => 'served')
    .catch((error: unknown) => (error as { code?: string }).code);
  vbd = await serve();
  await guest.run('while [ ! -e /tmp/writer ]; do usleep 100000; done; [ $(cat /tmp/writer) = 0 ]');
  await guest.run('sync');
  await takeTrace(guest, 'handed-on');
  statistics['successor'] = vbd.statistics();
  say('g2 was handed on');

  vbd = await killedProgram(guest, disk, vbd, async () => {
    disk = await VirtualDisk.open(chain);
    return serve();
  });
  statistics['afterKill'] = vbd.statistics();
  report['g2Digest'] = await digest(guest, '/dev/xvda');

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
