import { brotliCompressSync, brotliDecompressSync, constants } from 'node:zlib';

import { RepriseError } from '../errors.js';

import { type InputLog, inputLimits } from './input-event.js';
import { decodeLog } from './record-reader.js';
import { encodeLogHeader, RecordWriter } from './record-writer.js';

const MAGIC = Buffer.from('RPIP', 'latin1');
const VERSION = 1;
const BEST_QUALITY_BYTES = 1 << 20;
const HEAD_BYTES = MAGIC.length + 2;

/** The compact form that travels. It is plain: seal it (sealBlob) before it leaves memory. */
export function packInputLog(log: InputLog): Uint8Array {
  const records = new RecordWriter(log.header);
  records.all(log);
  const body = Buffer.concat([encodeLogHeader(log.header), records.drain()]);
  const packed = brotliCompressSync(body, {
    params: {
      // The best is a second's work for each half MiB: what that many frames hold is mostly packed already.
      [constants.BROTLI_PARAM_QUALITY]: body.length > BEST_QUALITY_BYTES ? 9 : 11,
      [constants.BROTLI_PARAM_SIZE_HINT]: body.length,
    },
  });
  return Buffer.concat([MAGIC, Buffer.from([VERSION, log.end === undefined ? 0 : 1]), packed]);
}

/** The inverse; bytes may be hostile. Times come back in whole ticks. Throws INPUT_LOG_UNREADABLE. */
export function unpackInputLog(bytes: Uint8Array): InputLog {
  const head = Buffer.from(bytes.subarray(0, HEAD_BYTES));
  if (head.length < HEAD_BYTES || !head.subarray(0, MAGIC.length).equals(MAGIC))
    throw unreadable('is not an input log');
  if (head[MAGIC.length] !== VERSION)
    throw unreadable('has a version that this reprise does not know');
  const complete = head[MAGIC.length + 1];
  if (complete !== 0 && complete !== 1) throw unreadable('has unknown flags');
  const log = decodeLog(inflate(bytes.subarray(HEAD_BYTES)));
  if ((log.end !== undefined) !== (complete === 1))
    throw unreadable('contradicts itself about being complete');
  return log;
}

function inflate(packed: Uint8Array): Buffer {
  try {
    return brotliDecompressSync(packed, { maxOutputLength: inputLimits.unpackedBytes });
  } catch (cause) {
    throw unreadable('does not decompress within its limit', cause);
  }
}

function unreadable(what: string, cause?: unknown): RepriseError {
  return new RepriseError(
    'INPUT_LOG_UNREADABLE',
    `The packed input log ${what}. Migrate without it.`,
    { cause },
  );
}
