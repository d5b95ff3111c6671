import { readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import { RepriseError } from '../errors.js';
import { openBlob, sealBlob } from '../input/index.js';

import { flowLedger, type FlowLedger } from './flow-record.js';

/** Whom somebody talked to is nobody else's business: the file is sealed like the input log beside it. */
const PURPOSE = 'flow ledger';
const NAME = 'flows';
/** A full ledger has about 8 MB. */
const MAX_FILE_BYTES = 64 * 1024 * 1024;

/** Where the ledger of a session stands: beside its input log. */
export function ledgerPath(inputLog: string): string {
  return join(dirname(inputLog), NAME);
}

export async function writeLedger(
  path: string,
  secret: Uint8Array,
  ledger: FlowLedger,
): Promise<void> {
  const text = JSON.stringify(flowLedger.parse(ledger));
  await writeFile(path, sealBlob(secret, PURPOSE, Buffer.from(text)), { mode: 0o600 });
}

/** Undefined where there is none: the machine has no network, or the file was lost. Throws INPUT_LOG_TAMPERED, STORE_CORRUPT. */
export async function readLedger(
  path: string,
  secret: Uint8Array,
): Promise<FlowLedger | undefined> {
  let sealed: Buffer;
  try {
    sealed = await readFile(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  const text = openBlob(secret, PURPOSE, sealed);
  if (text.length <= MAX_FILE_BYTES) {
    const parsed = flowLedger.safeParse(JSON.parse(Buffer.from(text).toString()));
    if (parsed.success) return parsed.data;
  }
  throw new RepriseError(
    'STORE_CORRUPT',
    `${path} is not a list of what a session sent. Migrate with --strategy ship.`,
    { context: { path } },
  );
}
