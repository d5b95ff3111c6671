import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { expect, test } from '@jest/globals';

import { networkSocketsIn } from '../hypervisor/qemu/network.js';

import { FrameRelay } from './frame-relay.js';
import { framed } from './frame-reader.js';

const GATEWAY = [10, 0, 2, 2];

/** Who has the gateway's address? Asked by 10.0.2.15. */
const question = Buffer.from([
  ...[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x52, 0x54, 0, 0x72, 0x65, 0x70, 8, 6],
  ...[0, 1, 8, 0, 6, 4, 0, 1, 0x52, 0x54, 0, 0x72, 0x65, 0x70, 10, 0, 2, 15, 0, 0, 0, 0, 0, 0],
  ...GATEWAY,
  ...Array<number>(18).fill(0),
]);

test("carries the guest's frames to its network, and brings the answers, also after that was killed", async () => {
  const runDirectory = await mkdtemp(join(tmpdir(), 'reprise-relay-'));
  const delivered: Uint8Array[] = [];
  const seen: string[] = [];
  const faults: boolean[] = [];
  try {
    await using relay = await FrameRelay.start({
      runDirectory,
      onFrame: (_frame, direction) => seen.push(direction),
      onFault: ({ restarted }) => faults.push(restarted),
      deliver: (frame) => delivered.push(frame),
    });
    const guest = connect({ path: networkSocketsIn(runDirectory).relay });
    const ask = async () => {
      delivered.length = 0;
      const deadline = Date.now() + 30_000;
      while (!delivered.some(isAnswer)) {
        if (Date.now() > deadline) throw new Error('the network did not answer');
        guest.write(framed(question));
        await sleep(100);
      }
    };
    await ask();
    expect(new Set(seen)).toEqual(new Set(['out', 'in']));
    process.kill(relay.processId, 'SIGKILL');
    await ask();
    expect(faults).toEqual([true]);
    guest.destroy();
  } finally {
    await rm(runDirectory, { recursive: true, force: true });
  }
});

function isAnswer(frame: Uint8Array): boolean {
  return frame[12] === 8 && frame[13] === 6 && frame[21] === 2 && frame[31] === GATEWAY[3];
}
