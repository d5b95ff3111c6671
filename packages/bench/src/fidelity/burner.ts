import { workerData } from 'node:worker_threads';

import { SeededRandom } from '../session/random.js';

/** A thread that uses a CPU in bursts. Ends when it is terminated. */
const BUSY_MS = 900;
const REST_MS = 300;

const random = new SeededRandom(workerData as number);
const nobody = new Int32Array(new SharedArrayBuffer(4));
for (;;) {
  const until = performance.now() + random.logNormal(BUSY_MS, 1);
  while (performance.now() < until);
  Atomics.wait(nobody, 0, 0, random.logNormal(REST_MS, 1));
}
