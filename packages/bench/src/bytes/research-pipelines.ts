import { createWriteStream } from 'node:fs';
import { stat, writeFile } from 'node:fs/promises';
import { once } from 'node:events';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { deflate } from 'node:zlib';

import {
  ImageReader,
  PAGE_CLASSES,
  PAGE_SIZE,
  type ChangedPages,
  type ResiduePlan,
  type Space,
  type State,
} from '@reprise/differ';

import { measureRsync } from '../baseline/index.js';
import { stateTraffic, traffic, type StateFiles } from '../baseline/state-files.js';

import { xdeltaThenLzma, type ToolOptions } from './other-tools.js';

const deflated = promisify(deflate);
const UNKNOWN = PAGE_CLASSES.indexOf('unknown');
/** Of a record that says where a page comes from, before compression. */
const RECORD_BYTES = 9;

/**
 * A pipeline as the cloudlet paper describes it: changed chunks at their positions, deduplicated against
 * base memory, base disk, zeros and each other; the rest as xdelta against the old chunk; all of it through LZMA. Generous:
 * the deltas are made over all pages at once, which finds more than page by page.
 */
export async function measureCloudlet(
  plan: ResiduePlan,
  states: { base: State; target: State },
  files: { base: StateFiles; target: StateFiles },
  options: ToolOptions,
) {
  const part = async (space: Space) => {
    const [from, to] = [`${space}.old`, `${space}.new`].map((name) =>
      join(options.directory, name),
    );
    if (from === undefined || to === undefined) return 0;
    const { pages, classes } = plan.entries;
    await using old = await ImageReader.open(states.base[space]);
    await using fresh = await ImageReader.open(states.target[space]);
    const [oldFile, newFile] = [createWriteStream(from), createWriteStream(to)];
    const records: number[] = [];
    for (const [i, packed] of pages.entries()) {
      if ((packed & 1n) !== (space === 'ram' ? 0n : 1n)) continue;
      const record = Buffer.alloc(RECORD_BYTES);
      record.writeBigUInt64LE(packed);
      record.writeUInt8(classes[i] ?? 0, RECORD_BYTES - 1);
      records.push(...record);
      if (classes[i] !== UNKNOWN) continue;
      const page = Number(packed >> 1n);
      oldFile.write(await old.page(page));
      newFile.write(await fresh.page(page));
    }
    oldFile.end();
    newFile.end();
    await Promise.all([once(oldFile, 'close'), once(newFile, 'close')]);
    const table = join(options.directory, 'table');
    await writeFile(table, Uint8Array.from(records));
    const empty = (await stat(to)).size === 0;
    const content = empty ? 0 : await xdeltaThenLzma(from, to, options);
    return content + (await deflated(Uint8Array.from(records), { level: 9 })).length;
  };
  return stateTraffic({
    ram: traffic(await part('ram'), 0),
    disk: traffic(await part('disk'), 0),
    device: traffic(await xdeltaThenLzma(files.base.device, files.target.device, options), 0),
  });
}

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
