import { promisify } from 'node:util';
import { deflate } from 'node:zlib';

import { ImageReader, PAGE_SIZE, type ChangedPages, type State } from '@reprise/differ';

import { measureRsync, type StateFiles } from '../baseline/index.js';
import { traffic } from '../baseline/state-files.js';

import type { ToolOptions } from './other-tools.js';

const deflated = promisify(deflate);

/**
 * The paper's own design of 2008: after a replay the disks are compared chunk by chunk by SHA-1 at the same
 * position (20 B each, from the destination), chunks that differ are sent (deflated here; the paper does not say), memory and device state go
 * through rsync from the replayed image. It knows nothing of content at another position.
 */
export async function measurePaper2008(
  o: {
    replay: { state: State; changed: ChangedPages; ram: string };
    target: { state: State; changed: ChangedPages; files: StateFiles };
    base: StateFiles;
    logBytes: number;
  },
  options: ToolOptions,
) {
  const blocks = new Set<number>();
  for (const { disk } of [o.replay.changed, o.target.changed]) {
    for (let i = 0; i + 1 < disk.length; i += 2) {
      for (let n = 0; n < Number(disk[i + 1]); n++) blocks.add(Number(disk[i]) + n);
    }
  }
  await using theirs = await ImageReader.open(o.replay.state.disk);
  await using ours = await ImageReader.open(o.target.state.disk);
  let sent = 0;
  for (const block of blocks) {
    const content = await ours.page(block);
    if (!content.equals(await theirs.page(block))) sent += 8 + (await deflated(content)).length;
  }
  const files = { ...o.base, ram: o.replay.ram, disk: o.base.device };
  const rsynced = await measureRsync(
    files,
    { ...o.target.files, disk: o.base.device },
    {
      ...{ directory: options.directory, ramBlockBytes: PAGE_SIZE },
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    },
  );
  const { ram, device } = rsynced.byPart;
  const digests = 20 * blocks.size;
  return { ram, device, disk: traffic(sent, 0), digests, log: o.logBytes };
}
