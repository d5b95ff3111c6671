import type { Snapshot, SnapshotStore } from '../snapshot/index.js';

/** Snapshots from `head` back to the first, newest first, as far as this host still has them. */
export async function lineOf(
  store: SnapshotStore,
  name: string,
  head: Snapshot,
): Promise<Snapshot[]> {
  const line = [head];
  const byRoot = new Map((await store.listSnapshots(name)).map((s) => [s.root, s]));
  for (let parent = head.manifest.parent; parent !== null;) {
    const snapshot = byRoot.get(parent);
    if (snapshot === undefined || line.includes(snapshot)) break;
    line.push(snapshot);
    parent = snapshot.manifest.parent;
  }
  return line;
}
