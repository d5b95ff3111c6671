import { open } from 'node:fs/promises';

import { RepriseError } from '../errors.js';

import { type InputLog, inputLimits } from './input-event.js';
import { decodeLog } from './record-reader.js';
import {
  checkFileHeader,
  FILE_HEADER_BYTES,
  FRAME_HEAD_BYTES,
  FrameCipher,
  frameKind,
  TAG_BYTES,
} from './sealed-frames.js';

/** A log as it was found. */
export interface StoredInputLog extends InputLog {
  /** False: the recording broke off (a crash, a kill); what was flushed before is here. */
  readonly complete: boolean;
  /** Bytes of a torn last frame, left out. */
  readonly droppedBytes: number;
}

/** A file larger than any honest log is not read into memory. */
const MAX_FILE_BYTES = 2 * inputLimits.unpackedBytes;

/**
 * Reads a sealed log. A torn tail is tolerated and reported. Throws INPUT_LOG_UNREADABLE (no such file, another kind or version, too large) and
 * INPUT_LOG_TAMPERED (another key, or frames changed, moved or removed).
 */
export async function readInputLog(path: string, secret: Uint8Array): Promise<StoredInputLog> {
  return openInputLog(await readBounded(path), secret);
}

/** The same for bytes in memory. */
export function openInputLog(file: Buffer, secret: Uint8Array): StoredInputLog {
  checkFileHeader(file);
  const cipher = new FrameCipher(secret, file.subarray(0, FILE_HEADER_BYTES));
  try {
    const frames = openFrames(file, cipher);
    const log = decodeLog(Buffer.concat(frames.plain));
    if ((log.end !== undefined) !== frames.complete) throw tampered(frames.plain.length);
    return { ...log, complete: frames.complete, droppedBytes: frames.droppedBytes };
  } finally {
    cipher.destroy();
  }
}

interface OpenedFrames {
  readonly plain: Buffer[];
  readonly complete: boolean;
  readonly droppedBytes: number;
}

function openFrames(file: Buffer, cipher: FrameCipher): OpenedFrames {
  const plain: Buffer[] = [];
  for (let at = FILE_HEADER_BYTES; at < file.length;) {
    const frame = cutFrame(file, at, plain.length);
    if (frame === undefined) {
      if (plain.length === 0) throw unreadable('was cut off before its first frame was whole');
      return { plain, complete: false, droppedBytes: file.length - at };
    }
    const opened = cipher.open(plain.length, frame.head, frame.sealed);
    const isHeader = frame.head[0] === frameKind.header;
    if (opened === undefined || isHeader !== (plain.length === 0)) throw tampered(plain.length);
    plain.push(opened);
    at = frame.end;
    if (frame.head[0] !== frameKind.final) continue;
    if (at !== file.length) throw tampered(plain.length);
    return { plain, complete: true, droppedBytes: 0 };
  }
  if (plain.length === 0) throw unreadable('was cut off before its first frame was whole');
  return { plain, complete: false, droppedBytes: 0 };
}

/** Frame `number`, at `at`; undefined when it is torn: it reaches beyond the file, or only zeros follow. */
function cutFrame(
  file: Buffer,
  at: number,
  number: number,
): { head: Buffer; sealed: Buffer; end: number } | undefined {
  if (file.length - at < FRAME_HEAD_BYTES) return undefined;
  const head = file.subarray(at, at + FRAME_HEAD_BYTES);
  const length = head.readUInt32LE(1);
  const end = at + FRAME_HEAD_BYTES + length + TAG_BYTES;
  if (head[0] === 0 && file.subarray(at).every((byte) => byte === 0)) return undefined;
  if (length > inputLimits.frameBytes) throw tampered(number);
  if (end > file.length) return undefined;
  return { head, sealed: file.subarray(at + FRAME_HEAD_BYTES, end), end };
}

async function readBounded(path: string): Promise<Buffer> {
  try {
    const file = await open(path, 'r');
    try {
      const { size } = await file.stat();
      if (size > MAX_FILE_BYTES) throw unreadable(`is larger than ${MAX_FILE_BYTES} bytes`);
      return await file.readFile();
    } finally {
      await file.close();
    }
  } catch (cause) {
    throw cause instanceof RepriseError ? cause : unreadable('cannot be opened', { path, cause });
  }
}

function unreadable(what: string, details: { path?: string; cause?: unknown } = {}): RepriseError {
  return new RepriseError(
    'INPUT_LOG_UNREADABLE',
    `The input log ${what}. It cannot be replayed; migrate without it.`,
    {
      context: details.path === undefined ? {} : { path: details.path },
      cause: details.cause,
    },
  );
}

function tampered(frame: number): RepriseError {
  return new RepriseError(
    'INPUT_LOG_TAMPERED',
    `Frame ${frame} of the input log does not authenticate: it was changed, moved or removed, or the key is another VM's. Migrate without the log and find out who can write to the store.`,
    { context: { frame } },
  );
}
