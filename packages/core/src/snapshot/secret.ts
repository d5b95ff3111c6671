import { hkdfSync } from 'node:crypto';
import { readFile } from 'node:fs/promises';

import { RepriseError } from '../errors.js';
import type { KeyPurpose } from './store.js';

export const SECRET_BYTES = 32;

/** Reads a VM's secret. Throws STORE_CORRUPT. */
export async function readSecret(path: string): Promise<Buffer> {
  const secret = await readFile(path).catch((cause: unknown) => {
    throw damaged(path, cause);
  });
  if (secret.length !== SECRET_BYTES) throw damaged(path, undefined);
  return secret;
}

/** One key for each purpose, so that no two uses share one. */
export function deriveKey(secret: Uint8Array, purpose: KeyPurpose): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', secret, '', `reprise/v1/${purpose}`, 32));
}

function damaged(path: string, cause: unknown): RepriseError {
  return new RepriseError(
    'STORE_CORRUPT',
    `The VM's secret ${path} is missing or damaged. Restore it from a backup, or from another host that holds the VM.`,
    { context: { path }, cause },
  );
}
