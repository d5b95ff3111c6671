import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';

/** What names a snapshot: docs/formats/store.md has the byte table. */
export interface RootParts {
  readonly ram: { readonly sizeBytes: number; readonly root: string };
  readonly disk: { readonly sizeBytes: number; readonly root: string };
  readonly device: { readonly sizeBytes: number; readonly sha256: string };
  readonly machine: string;
}

const DOMAIN = 'reprise-snapshot-root-v1\0\0\0';

/** The root digest, in hex. */
export function rootDigest(parts: RootParts): string {
  return createHash('sha256')
    .update(DOMAIN, 'latin1')
    .update(size(parts.ram.sizeBytes))
    .update(digest(parts.ram.root))
    .update(size(parts.disk.sizeBytes))
    .update(digest(parts.disk.root))
    .update(size(parts.device.sizeBytes))
    .update(digest(parts.device.sha256))
    .update(size(1))
    .update(digest(parts.machine))
    .digest('hex');
}

function size(bytes: number): Buffer {
  const field = Buffer.alloc(8);
  field.writeBigUInt64BE(BigInt(bytes));
  return field;
}

function digest(hex: string): Buffer {
  const field = Buffer.from(hex, 'hex');
  if (field.length !== 32) throw new Error(`not a SHA-256 digest: ${hex}`);
  return field;
}

/** SHA-256 and size of a whole file. */
export async function digestFile(
  path: string,
  signal?: AbortSignal,
): Promise<{ sizeBytes: number; sha256: string }> {
  const hash = createHash('sha256');
  let sizeBytes = 0;
  const stream = createReadStream(path, { highWaterMark: 1024 * 1024, signal });
  for await (const chunk of stream) {
    sizeBytes += (chunk as Buffer).length;
    hash.update(chunk as Buffer);
  }
  return { sizeBytes, sha256: hash.digest('hex') };
}
