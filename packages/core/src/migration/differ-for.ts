import { Differ } from '@reprise/differ';

import type { SnapshotStore } from '../snapshot/index.js';

/** A differ whose fingerprints are keyed with the VM's own secret: nobody else's content is a dictionary. */
export async function differFor(store: SnapshotStore, name: string): Promise<Differ> {
  const key = await store.deriveKey(name, 'fingerprint');
  return new Differ({ fingerprint: { algorithm: 'xxh3', key } });
}
