import { stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

import { runProgram } from '../baseline/run-program.js';
import {
  stateTraffic,
  traffic,
  type StateFiles,
  type StateTraffic,
} from '../baseline/state-files.js';

import { chunkedBytes } from './fast-cdc.js';

export interface ToolOptions {
  readonly signal?: AbortSignal | undefined;
  readonly directory: string;
}

/** One way each: what a tool writes for each file against its old version. */
async function eachPart(
  base: StateFiles,
  target: StateFiles,
  measure: (base: string, target: string) => Promise<number>,
): Promise<StateTraffic> {
  return stateTraffic({
    ram: traffic(await measure(base.ram, target.ram), 0),
    disk: traffic(await measure(base.disk, target.disk), 0),
    device: traffic(await measure(base.device, target.device), 0),
  });
}

/** What names the version of a program, for the key of a result: the first line of what it says. */
export async function toolVersion(program: string): Promise<string> {
  const args = program === 'xdelta3' ? ['-V'] : ['--version'];
  const said = await runProgram(program, args, { withErrors: true });
  return said.trim().split('\n')[0] ?? '';
}

/** A page that begins like a file of gzip is not to be unpacked first. */
export const AS_IT_IS = ['-D', '-R'] as const;

/** xdelta3 -9 with LZMA, its window over the whole old file (as far as it can, 2 GiB). */
export function measureXdelta3(base: StateFiles, target: StateFiles, options: ToolOptions) {
  return eachPart(base, target, (from, to) => xdelta(from, to, options.signal));
}

async function xdelta(from: string, to: string, signal?: AbortSignal): Promise<number> {
  const window = Math.min(2 ** 31 - 1, Math.max(2 ** 20, (await stat(from)).size));
  return await outputBytes(
    'xdelta3',
    [...AS_IT_IS, '-e', '-c', '-q', '-9', '-S', 'lzma', '-B', String(window), '-s', from, to],
    signal,
  );
}

/** zstd refuses to patch from a file above 2 GB: larger ones are patched in pieces, each from the same piece of the old. */
const PATCHED_BYTES = 2 ** 30;

/** zstd -12 --patch-from --long=31: the level above which hours are added and hardly a byte taken off. */
export function measurePatchFrom(base: StateFiles, target: StateFiles, options: ToolOptions) {
  return eachPart(base, target, async (from, to) => {
    const size = (await stat(to)).size;
    if (size <= PATCHED_BYTES) return await patchBytes(from, to, options.signal);
    let bytes = 0;
    for (let piece = 0; piece * PATCHED_BYTES < size; piece++) {
      bytes += await patchBytes(
        await copyPiece(from, piece, options),
        await copyPiece(to, piece, options),
        options.signal,
      );
    }
    return bytes;
  });
}

function patchBytes(from: string, to: string, signal?: AbortSignal): Promise<number> {
  const args = ['-q', '-c', '-12', '-T1', '--long=31', `--patch-from=${from}`, '--', to];
  return outputBytes('zstd', args, signal);
}

/** A piece of a sparse file as a file. */
async function copyPiece(file: string, piece: number, options: ToolOptions): Promise<string> {
  const copy = join(options.directory, `piece-of-${basename(dirname(file))}`);
  const mebibytes = PATCHED_BYTES / 2 ** 20;
  await runProgram(
    'dd',
    [
      ...[`if=${file}`, `of=${copy}`, 'bs=1M', `count=${String(mebibytes)}`],
      ...[`skip=${String(piece * mebibytes)}`, 'conv=sparse', 'status=none'],
    ],
    options.signal === undefined ? {} : { signal: options.signal },
  );
  return copy;
}

/** Content-defined chunks against those of the old files. */
export function measureChunks(base: StateFiles, target: StateFiles) {
  return eachPart(base, target, chunkedBytes);
}

/** The size of what xz -9e makes of a file. */
export function lzmaBytes(file: string, signal?: AbortSignal): Promise<number> {
  return outputBytes('xz', ['-c', '-9e', '-T1', '--', file], signal);
}

/** xdelta3 without its own compression, then LZMA: for many small pieces put together. */
export async function xdeltaThenLzma(
  from: string,
  to: string,
  options: ToolOptions,
): Promise<number> {
  const delta = join(options.directory, 'delta');
  const signal = options.signal === undefined ? {} : { signal: options.signal };
  await runProgram(
    'xdelta3',
    [...AS_IT_IS, '-e', '-f', '-q', '-9', '-S', 'none', '-s', from, to, delta],
    signal,
  );
  return await lzmaBytes(delta, options.signal);
}

async function outputBytes(
  program: string,
  args: readonly string[],
  signal?: AbortSignal,
): Promise<number> {
  let bytes = 0;
  await runProgram(program, args, {
    onOutput: (chunk) => (bytes += chunk.length),
    ...(signal === undefined ? {} : { signal }),
  });
  return bytes;
}
