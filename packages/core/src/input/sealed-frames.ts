/** Frames of a sealed input log: what authenticates and orders them. Layout: docs/formats/input-log.md. */
import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';

import { RepriseError } from '../errors.js';

const MAGIC = Buffer.from('RPINPUT\0', 'latin1');
const VERSION = 1;
const AES_256_GCM = 1;
const SALT_OFFSET = 12;
const SALT_BYTES = 32;
const KEY_BYTES = 32;
const PREFIX_BYTES = 4;

export const FILE_HEADER_BYTES = SALT_OFFSET + SALT_BYTES;
export const FRAME_HEAD_BYTES = 5;
export const TAG_BYTES = 16;

export const frameKind = { header: 1, records: 2, final: 3 } as const;
export type FrameKind = (typeof frameKind)[keyof typeof frameKind];

/** A fresh file header, with a random salt. */
export function createFileHeader(): Buffer {
  const header = Buffer.alloc(FILE_HEADER_BYTES);
  MAGIC.copy(header);
  header.writeUInt8(VERSION, 8);
  header.writeUInt8(AES_256_GCM, 9);
  randomBytes(SALT_BYTES).copy(header, SALT_OFFSET);
  return header;
}

/** Throws INPUT_LOG_UNREADABLE unless these bytes start an input log of a known version. */
export function checkFileHeader(header: Buffer): void {
  if (header.length < FILE_HEADER_BYTES || !header.subarray(0, MAGIC.length).equals(MAGIC)) {
    throw new RepriseError('INPUT_LOG_UNREADABLE', 'The file is not an input log. Check the path.');
  }
  if (header.readUInt8(8) !== VERSION || header.readUInt8(9) !== AES_256_GCM) {
    throw new RepriseError(
      'INPUT_LOG_UNREADABLE',
      'The input log was written by another version of reprise. Read it with that version, or migrate without it.',
      { context: { version: header.readUInt8(8), cipher: header.readUInt8(9) } },
    );
  }
}

/** Seals and opens the frames of one file. Frame n is bound to its file, its number, its kind and its length. */
export class FrameCipher {
  readonly #key: Buffer;
  readonly #prefix: Buffer;
  readonly #fileHeader: Buffer;

  constructor(secret: Uint8Array, fileHeader: Buffer) {
    const salt = fileHeader.subarray(SALT_OFFSET, FILE_HEADER_BYTES);
    const derived = Buffer.from(
      hkdfSync('sha256', secret, salt, 'reprise input log v1', KEY_BYTES + PREFIX_BYTES),
    );
    this.#key = derived.subarray(0, KEY_BYTES);
    this.#prefix = derived.subarray(KEY_BYTES);
    this.#fileHeader = fileHeader;
  }

  /** A whole frame: head, ciphertext, tag. A number must never be sealed twice. */
  seal(number: number, kind: FrameKind, plain: Uint8Array): Buffer {
    const head = Buffer.alloc(FRAME_HEAD_BYTES);
    head.writeUInt8(kind, 0);
    head.writeUInt32LE(plain.length, 1);
    const cipher = createCipheriv('aes-256-gcm', this.#key, this.#nonce(number));
    cipher.setAAD(this.#associatedData(number, head));
    return Buffer.concat([head, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
  }

  /** Undefined when the frame does not authenticate. */
  open(number: number, head: Buffer, sealed: Buffer): Buffer | undefined {
    const decipher = createDecipheriv('aes-256-gcm', this.#key, this.#nonce(number), {
      authTagLength: TAG_BYTES,
    });
    decipher.setAAD(this.#associatedData(number, head));
    decipher.setAuthTag(sealed.subarray(sealed.length - TAG_BYTES));
    try {
      return Buffer.concat([
        decipher.update(sealed.subarray(0, sealed.length - TAG_BYTES)),
        decipher.final(),
      ]);
    } catch {
      return undefined;
    }
  }

  /** Forgets the key. */
  destroy(): void {
    this.#key.fill(0);
  }

  #nonce(number: number): Buffer {
    return Buffer.concat([this.#prefix, uint64(number)]);
  }

  #associatedData(number: number, head: Buffer): Buffer {
    return Buffer.concat([this.#fileHeader, uint64(number), head]);
  }
}

function uint64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}
