import { Differ, type DifferOptions } from '@reprise/differ';

import type { SnapshotStore } from '../snapshot/index.js';

/**
 * A differ whose fingerprints are keyed with the VM's own secret: nobody else's content is a dictionary.
 * @param options `threads`: default one for each processor.
 */
export async function differFor(
  store: SnapshotStore,
  name: string,
  options: Pick<DifferOptions, 'threads'> = {},
): Promise<Differ> {
  const key = await store.deriveKey(name, 'fingerprint');
  return new Differ({ ...options, fingerprint: { algorithm: 'xxh3', key } });
}
