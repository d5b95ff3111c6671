import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';

import { describe, expect, test } from '@jest/globals';

import { OwnedProcess } from '../../process/index.js';

import { withoutHostNetwork } from './confinement.js';

const CONNECT = `
  const socket = require('node:net').connect(Number(process.argv[1]), '127.0.0.1');
  socket.on('connect', () => process.exit(0));
  socket.on('error', (error) => { console.error(error.code); process.exit(9); });`;

describe('a process without the network of the host', () => {
  test('does not reach a server on the loopback of the host, which others do', async () => {
    let visits = 0;
    const server = createServer((socket) => {
      visits++;
      socket.on('error', () => undefined);
      socket.end();
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    try {
      const args = ['-e', CONNECT, String((server.address() as AddressInfo).port)];
      await using free = await OwnedProcess.start(process.execPath, args);
      expect((await free.exited).code).toBe(0);
      const command = await withoutHostNetwork(process.execPath, args);
      // A host without namespaces has the other locks of the gate.
      if (!command.confined) return;
      await using confined = await OwnedProcess.start(command.program, command.args);
      expect((await confined.exited).code).toBe(9);
      expect(visits).toBe(1);
    } finally {
      server.close();
    }
  });

  test('runs the program itself, under the process id that was started', async () => {
    const command = await withoutHostNetwork('sleep', ['60']);
    await using owned = await OwnedProcess.start(command.program, command.args);
    const deadline = Date.now() + 20_000;
    let name = '';
    while (name !== 'sleep\n' && Date.now() < deadline)
      name = await readFile(`/proc/${String(owned.pid)}/comm`, 'utf8');
    expect(name).toBe('sleep\n');
  });
});
