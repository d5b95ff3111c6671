// A process that only serves a disk, as the supervisor's does:
//   node serve-process.js '{"chain":{…},"socketPath":…,"tracking":true}'
// Closes properly on SIGTERM.
import { VirtualDisk, type DiskChain } from '@reprise/blkdriver-native';

export interface ServeArguments {
  readonly chain: DiskChain;
  readonly socketPath: string;
  readonly tracking: boolean;
}

const { chain, socketPath, tracking } = JSON.parse(process.argv[2] ?? '') as ServeArguments;
const disk = await VirtualDisk.open(chain, { withoutTracking: !tracking });
await disk.serve({ socketPath });
const stay = setInterval(() => undefined, 2 ** 30);
process.once('SIGTERM', () => {
  clearInterval(stay);
  void disk.close();
});
