import { createWriteStream, type WriteStream } from 'node:fs';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { once } from 'node:events';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { deflate } from 'node:zlib';

import { ImageReader, type ResiduePlan, type Space, type State } from '@reprise/differ';

import { runProgram } from '../baseline/run-program.js';
import { stateTraffic, traffic, type StateFiles } from '../baseline/state-files.js';

import { AS_IT_IS, lzmaBytes, xdeltaThenLzma, type ToolOptions } from './other-tools.js';
import { UNKNOWN } from './positions.js';

const deflated = promisify(deflate);
/** Of a record that says where a page comes from, before compression. */
const RECORD_BYTES = 9;
/** Programs at once: each works on one chunk. */
const CHUNKS_AT_ONCE = 4;

export interface CloudletOptions extends ToolOptions {
  /** All chunks through one xdelta, which finds more than the paper's: a chunk by itself. */
  readonly allAtOnce: boolean;
}

/**
 * A pipeline as the cloudlet paper describes it: changed chunks at their positions, deduplicated against
 * base memory, base disk, zeros and each other; the rest as xdelta against the old chunk; all of it through LZMA.
 */
export async function measureCloudlet(
  plan: ResiduePlan,
  states: { base: State; target: State; memoryPages: number },
  files: Readonly<Record<'base' | 'target', Pick<StateFiles, 'device'>>>,
  options: CloudletOptions,
) {
  const part = async (space: Space) => {
    const { pages, classes } = plan.entries;
    const records: number[] = [];
    const unknown: number[] = [];
    for (const [i, packed] of pages.entries()) {
      if ((packed & 1n) !== (space === 'ram' ? 0n : 1n)) continue;
      // Pages of the device state, which are counted with it.
      if (space === 'ram' && Number(packed >> 1n) >= states.memoryPages) continue;
      const record = Buffer.alloc(RECORD_BYTES);
      record.writeBigUInt64LE(packed);
      record.writeUInt8(classes[i] ?? 0, RECORD_BYTES - 1);
      records.push(...record);
      if (classes[i] === UNKNOWN) unknown.push(Number(packed >> 1n));
    }
    await using old = await ImageReader.open(states.base[space]);
    await using fresh = await ImageReader.open(states.target[space]);
    const chunks = { old, fresh, unknown, name: space };
    const content = await (options.allAtOnce
      ? atOnce(chunks, options)
      : eachAlone(chunks, options));
    return content + (await deflated(Uint8Array.from(records), { level: 9 })).length;
  };
  return stateTraffic({
    ram: traffic(await part('ram'), 0),
    disk: traffic(await part('disk'), 0),
    device: traffic(await xdeltaThenLzma(files.base.device, files.target.device, options), 0),
  });
}

interface Chunks {
  readonly old: ImageReader;
  readonly fresh: ImageReader;
  readonly unknown: readonly number[];
  readonly name: string;
}

async function eachAlone(chunks: Chunks, options: ToolOptions): Promise<number> {
  if (chunks.unknown.length === 0) return 0;
  const at = (name: string) => join(options.directory, `${chunks.name}.${name}`);
  const signal = options.signal === undefined ? {} : { signal: options.signal };
  const all = createWriteStream(at('deltas'));
  for (let first = 0; first < chunks.unknown.length; first += CHUNKS_AT_ONCE) {
    const group = chunks.unknown.slice(first, first + CHUNKS_AT_ONCE);
    const deltas = await Promise.all(
      group.map(async (page, lane) => {
        const [from, to, delta] = [`old${lane}`, `new${lane}`, `delta${lane}`].map(at);
        if (from === undefined || to === undefined || delta === undefined) return Buffer.alloc(0);
        await writeFile(from, await chunks.old.page(page));
        await writeFile(to, await chunks.fresh.page(page));
        // -A and -n: neither names of files nor checksums, which the paper's pipeline does without.
        const how = [...AS_IT_IS, '-e', '-f', '-q', '-9', '-A', '-n', '-S', 'none', '-s'];
        await runProgram('xdelta3', [...how, from, to, delta], signal);
        return await readFile(delta);
      }),
    );
    for (const delta of deltas) await written(all, delta);
  }
  all.end();
  await once(all, 'close');
  return await lzmaBytes(at('deltas'), options.signal);
}

async function atOnce(chunks: Chunks, options: ToolOptions): Promise<number> {
  const at = (name: string) => join(options.directory, `${chunks.name}.${name}`);
  const [oldFile, newFile] = [createWriteStream(at('old')), createWriteStream(at('new'))];
  for (const page of chunks.unknown) {
    await written(oldFile, await chunks.old.page(page));
    await written(newFile, await chunks.fresh.page(page));
  }
  oldFile.end();
  newFile.end();
  await Promise.all([once(oldFile, 'close'), once(newFile, 'close')]);
  if ((await stat(at('new'))).size === 0) return 0;
  return await xdeltaThenLzma(at('old'), at('new'), options);
}

async function written(stream: WriteStream, bytes: Buffer): Promise<void> {
  if (!stream.write(bytes)) await once(stream, 'drain');
}
