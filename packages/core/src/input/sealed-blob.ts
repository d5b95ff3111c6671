import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';

import { RepriseError } from '../errors.js';

const VERSION = 1;
const SALT_BYTES = 32;
const KEY_BYTES = 32;
const TAG_BYTES = 16;
const HEAD_BYTES = 1 + SALT_BYTES;
/** Every blob has a key of its own, so one nonce is enough. */
const NONCE = Buffer.alloc(12);

/**
 * Encrypts with AES-256-GCM under a key derived from the VM's secret, a random salt and `purpose`. 49 bytes longer than `data`.
 * Layout: docs/formats/input-log.md.
 */
export function sealBlob(secret: Uint8Array, purpose: string, data: Uint8Array): Buffer {
  const salt = randomBytes(SALT_BYTES);
  const key = blobKey(secret, salt, purpose);
  const cipher = createCipheriv('aes-256-gcm', key, NONCE);
  cipher.setAAD(associatedData(purpose));
  const sealed = Buffer.concat([
    Buffer.from([VERSION]),
    salt,
    cipher.update(data),
    cipher.final(),
    cipher.getAuthTag(),
  ]);
  key.fill(0);
  return sealed;
}

/** Throws INPUT_LOG_TAMPERED when it was not sealed with this secret for this purpose, or changed since. */
export function openBlob(secret: Uint8Array, purpose: string, blob: Uint8Array): Buffer {
  if (blob.length < HEAD_BYTES + TAG_BYTES || blob[0] !== VERSION) {
    throw new RepriseError(
      'INPUT_LOG_UNREADABLE',
      'A sealed blob is too short or of an unknown version. Use the same version of reprise on both hosts.',
      { context: { purpose, bytes: blob.length } },
    );
  }
  const key = blobKey(secret, blob.subarray(1, HEAD_BYTES), purpose);
  const decipher = createDecipheriv('aes-256-gcm', key, NONCE, { authTagLength: TAG_BYTES });
  decipher.setAAD(associatedData(purpose));
  decipher.setAuthTag(blob.subarray(blob.length - TAG_BYTES));
  try {
    return Buffer.concat([
      decipher.update(blob.subarray(HEAD_BYTES, blob.length - TAG_BYTES)),
      decipher.final(),
    ]);
  } catch (cause) {
    throw new RepriseError(
      'INPUT_LOG_TAMPERED',
      'A sealed blob does not open with the key of this VM. Check that both hosts hold the same VM; do not use the blob.',
      { context: { purpose }, cause },
    );
  } finally {
    key.fill(0);
  }
}

function blobKey(secret: Uint8Array, salt: Uint8Array, purpose: string): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, salt, `reprise blob v1 ${purpose}`, KEY_BYTES));
}

function associatedData(purpose: string): Buffer {
  return Buffer.concat([Buffer.from([VERSION]), Buffer.from(purpose, 'utf8')]);
}
