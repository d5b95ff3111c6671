import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

import { QemuHypervisor } from '../hypervisor/index.js';

import { startCountingServers, type CountingServers } from './testing/counting-servers.js';
import { callsPort } from './testing/frames.js';
import type { Counted } from './testing/isolated-gate.js';
import { inOwnNetwork } from './testing/isolated-network.js';
import { NetworkedGuest } from './testing/networked-guest.js';

/** Built: a program apart does not go through the test runner's transforms. */
const ISOLATED = fileURLToPath(
  new URL('../../dist/gate/testing/isolated-gate.js', import.meta.url),
);
const ISOLATED_TIMEOUT_MS = 400_000;
/** Without a network of its own nothing can be told from what else the host sends: skipped, and counted as such. */
const isolated = await inOwnNetwork(process.execPath, [ISOLATED]);

describe('a guest that posts a form and sends a mail', () => {
  let guest: NetworkedGuest;
  let servers: CountingServers;
  let lines: string[];

  beforeAll(async () => {
    servers = await startCountingServers();
    const { httpPort, smtpPort } = servers;
    lines = [
      `wget -q -O- --post-data=a=1 http://10.0.2.2:${String(httpPort)}/order &`,
      `printf 'EHLO a\\r\\nMAIL FROM:<a@b>\\r\\nRCPT TO:<c@d>\\r\\nDATA\\r\\nhi\\r\\n.\\r\\nQUIT\\r\\n' | nc 10.0.2.2 ${String(smtpPort)} &`,
    ];
    guest = await NetworkedGuest.prepare();
  });

  afterAll(async () => {
    await guest[Symbol.asyncDispose]();
    await servers[Symbol.asyncDispose]();
  });

  test('does both in a session, where its network is open, and every frame is seen', async () => {
    const seen = { post: false, mail: false };
    await guest.run(
      lines,
      {
        gate: 'open',
        network: {
          onFrame: (frame, direction) => {
            if (direction !== 'out') return;
            seen.post ||= callsPort(frame, servers.httpPort);
            seen.mail ||= callsPort(frame, servers.smtpPort);
          },
        },
      },
      () => servers.requests.length > 0 && servers.mails > 0,
    );
    expect(servers.requests).toEqual(['POST /order']);
    expect(servers.mails).toBe(1);
    expect(seen).toEqual({ post: true, mail: true });
  });

  test('is not run at all where its hypervisor was given a network by mistake', async () => {
    const before = servers.connections;
    const misled = new QemuHypervisor({
      rewriteArguments: (args) =>
        args.map((arg) => (arg.startsWith('{"type":"stream"') ? 'user,id=net0' : arg)),
    });
    await expect(
      guest.run(lines, { gate: 'closed', hypervisor: misled }, () => true),
    ).rejects.toMatchObject({ code: 'GATE_NOT_CLOSED' });
    expect(servers.connections).toBe(before);
  });
});

(isolated === undefined ? test.skip : test)(
  'does neither in a replay: it tries, nobody answers, and not one packet of any kind is seen outside',
  async () => {
    const { program, args } = isolated ?? { program: '', args: [] };
    const { stdout } = await promisify(execFile)(program, args, { timeout: ISOLATED_TIMEOUT_MS });
    const { session, replay } = JSON.parse(stdout) as { session: Counted; replay: Counted };
    expect(session).toMatchObject({ requests: ['POST /order'], mails: 1 });
    // The capture is no blind eye: it sees what a session sends.
    expect(session.packetBytes).toBeGreaterThan(0);
    expect(replay.tried).toEqual({ post: true, mail: true });
    expect(replay).toMatchObject({ requests: [], mails: 0, connections: 0, packetBytes: 0 });
  },
);
