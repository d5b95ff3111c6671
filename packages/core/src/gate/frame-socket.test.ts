import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';

import { framed } from './frame-reader.js';
import { listenForFrames } from './frame-socket.js';

describe('a socket that frames are delivered to', () => {
  let directory: string;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'reprise-frames-'));
  });
  afterEach(() => rm(directory, { recursive: true }));

  const listen = async () => {
    const sizes: number[] = [];
    const path = join(directory, 'frames');
    const socket = await listenForFrames({
      path,
      onFrame: (frame) => sizes.push(frame.length),
      onLost: () => undefined,
    });
    return { path, sizes, socket };
  };

  test('gives up no frame of a peer that has ended, however much stands in the socket', async () => {
    const { path, sizes, socket } = await listen();
    const peer = connect(path);
    await once(peer, 'connect');
    const frames = Array.from({ length: 400 }, (_, i) => 60 + (i % 1400));
    for (const size of frames) peer.write(framed(Buffer.alloc(size)));
    peer.end();
    await once(peer, 'finish');
    await socket[Symbol.asyncDispose]();
    expect(sizes).toEqual(frames);
  });

  test('does not wait for ever for a peer that stays', async () => {
    const { path, socket } = await listen();
    const peer = connect(path);
    await once(peer, 'connect');
    const gone = once(peer, 'close');
    await socket[Symbol.asyncDispose]();
    await gone;
  });
});
