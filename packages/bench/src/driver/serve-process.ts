// A process that only serves a disk, as the supervisor's does:
//   node serve-process.js '{"base":…,"overlay":…,"socketPath":…,"tracking":true}'
// Closes properly on SIGTERM.
import { VirtualDisk } from '@reprise/blkdriver-native';

export interface ServeArguments {
  readonly base: string;
  readonly overlay: string;
  readonly socketPath: string;
  readonly tracking: boolean;
}

const { base, overlay, socketPath, tracking } = JSON.parse(process.argv[2] ?? '') as ServeArguments;
const disk = await VirtualDisk.open({ base, layers: [], overlay }, { withoutTracking: !tracking });
await disk.serve({ socketPath });
const stay = setInterval(() => undefined, 2 ** 30);
process.once('SIGTERM', () => {
  clearInterval(stay);
  void disk.close();
});
