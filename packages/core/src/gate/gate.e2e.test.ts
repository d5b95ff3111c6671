import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

import { QemuHypervisor } from '../hypervisor/index.js';

import { startCountingServers, type CountingServers } from './testing/counting-servers.js';
import { capturePackets, mayCapture } from './testing/loopback-capture.js';
import { NetworkedGuest } from './testing/networked-guest.js';

const TCP = 6;

/** Whether a frame is IPv4 with TCP to `port`. */
function callsPort(frame: Uint8Array, port: number): boolean {
  const bytes = Buffer.from(frame);
  return (
    bytes.length >= 54 &&
    bytes.readUInt16BE(12) === 0x0800 &&
    bytes[23] === TCP &&
    bytes.readUInt16BE(36) === port
  );
}

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

  test('does neither in a replay: it tries, nobody answers, and not one packet leaves', async () => {
    const before = servers.connections;
    const ports = [servers.httpPort, servers.smtpPort];
    const capture = mayCapture ? await capturePackets(ports) : undefined;
    const tried = new Set<number>();
    await guest.run(
      lines,
      {
        gate: 'closed',
        network: {
          onFrame: (frame) => {
            for (const port of ports) if (callsPort(frame, port)) tried.add(port);
          },
        },
      },
      () => tried.size === ports.length,
    );
    expect([...tried].sort()).toEqual([...ports].sort());
    expect(servers.connections).toBe(before);
    if (capture !== undefined) expect(await capture.stop()).toBe(0);
  });

  test('the capture is no blind eye: it sees what a session sends', async () => {
    if (!mayCapture) return;
    const capture = await capturePackets([servers.httpPort, servers.smtpPort]);
    const before = servers.mails;
    await guest.run(lines, { gate: 'open' }, () => servers.mails > before);
    expect(await capture.stop()).toBeGreaterThan(0);
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
