import { constants, setPriority } from 'node:os';

import { contentIndexOf, differFor, lineOf } from '../state/index.js';
import { openStore } from '../snapshot/index.js';

/**
 * The process that makes the content index of a snapshot while a session runs on it: `index-process HOME NAME ROOT`. The
 * guest comes first: it works on one thread, at the lowest priority.
 */
const [home, name, root] = process.argv.slice(2);
if (home === undefined || name === undefined || root === undefined) {
  throw new Error('Give the store, the name of the VM and the root of the snapshot.');
}
setPriority(constants.priority.PRIORITY_LOW);
await using store = await openStore({ home });
const snapshot = await store.snapshot(name, root);
await using differ = await differFor(store, name, { threads: 1 });
await contentIndexOf(differ, snapshot, {
  ancestors: (await lineOf(store, name, snapshot)).slice(1),
});
