import { once } from 'node:events';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';

import { framed } from './frame-reader.js';
import { openSilentNetwork } from './silent-network.js';
import { tcpOut } from './testing/frames.js';

const whoHasTheGateway = Buffer.from(
  'ffffffffffff525400726570080600010800060400015254007265700a00020f0000000000000a000202',
  'hex',
);

describe('the network of a replay', () => {
  let directory: string;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'reprise-silent-'));
  });
  afterEach(() => rm(directory, { recursive: true }));

  test('hears everything, and says nothing but where the gateway is', async () => {
    const heard: Buffer[] = [];
    await using _network = await openSilentNetwork({
      runDirectory: directory,
      onFrame: (frame) => heard.push(Buffer.from(frame)),
    });
    const socket = connect(join(directory, 'net-silent'));
    const said: Buffer[] = [];
    socket.on('data', (bytes: Buffer) => said.push(bytes));
    await once(socket, 'connect');
    const call = tcpOut({ address: '203.0.113.7', port: 80, syn: true });
    socket.write(framed(call));
    socket.write(framed(whoHasTheGateway));
    while (said.length === 0) await sleep(5);
    expect(heard).toEqual([call, whoHasTheGateway]);
    // One frame, of the length of an ARP reply, and no answer to the call.
    expect(Buffer.concat(said).readUInt32BE(0)).toBe(42);
    expect(Buffer.concat(said)).toHaveLength(46);
    socket.destroy();
  });

  test('is for its owner only, and takes one guest at a time', async () => {
    await using _network = await openSilentNetwork({
      runDirectory: directory,
      onFrame: () => undefined,
    });
    const path = join(directory, 'net-silent');
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    const first = connect(path);
    await once(first, 'connect');
    const second = connect(path);
    await once(second, 'close');
    expect(first.destroyed).toBe(false);
    first.destroy();
  });

  test('drops a guest whose frames are none, and tells', async () => {
    let lost: (() => void) | undefined;
    const told = new Promise<void>((resolve) => (lost = resolve));
    await using _network = await openSilentNetwork({
      runDirectory: directory,
      onFrame: () => undefined,
      onLost: () => lost?.(),
    });
    const socket = connect(join(directory, 'net-silent'));
    socket.on('error', () => undefined);
    await once(socket, 'connect');
    socket.write(Buffer.from('ffffffff', 'hex'));
    await told;
    socket.destroy();
  });
});
