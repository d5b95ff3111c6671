// A process that only serves a disk, for tests and measurements that kill it:
//   node dist/testing/serve-disk.js '{"chain":{…},"open":{…},"serve":{…}}'
// Prints "ready" when it listens; closes properly on SIGTERM.
import type { DiskChain } from '../disk-chain.js';
import { VirtualDisk } from '../virtual-disk.js';
import type { OpenDiskOptions, ServeOptions } from '../virtual-disk.js';

export interface ServeDiskArguments {
  chain: DiskChain;
  open?: OpenDiskOptions;
  serve: ServeOptions;
}

const { chain, open, serve } = JSON.parse(process.argv[2] ?? '') as ServeDiskArguments;
const disk = await VirtualDisk.open(chain, open);
await disk.serve(serve);
process.stdout.write('ready\n');

const stay = setInterval(() => undefined, 1 << 30);
process.once('SIGTERM', () => {
  clearInterval(stay);
  void disk.close();
});
