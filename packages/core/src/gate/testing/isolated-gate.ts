import { startCountingServers } from './counting-servers.js';
import { callsPort } from './frames.js';
import { capturePackets } from './loopback-capture.js';
import { NetworkedGuest } from './networked-guest.js';

/** What was counted outside of the guest. */
export interface Counted {
  readonly requests: readonly string[];
  readonly mails: number;
  readonly connections: number;
  /** Of all packets on all interfaces. */
  readonly packetBytes: number;
  /** Whether the guest called either server, as it was seen at its NIC. */
  readonly tried: { readonly post: boolean; readonly mail: boolean };
}

/**
 * To be run in a network of its own (isolated-network.ts): a guest posts a form, sends a mail and calls a host that does
 * not answer, first in a replay, then in a session: what a session leaves behind (the kernel asks for a silent host's
 * address for seconds) would be seen in the replay. Prints what was counted in each, as JSON.
 */
const servers = await startCountingServers();
const guest = await NetworkedGuest.prepare();
try {
  const lines = [
    `wget -q -O- --post-data=a=1 http://10.0.2.2:${String(servers.httpPort)}/order &`,
    `printf 'EHLO a\\r\\nMAIL FROM:<a@b>\\r\\nRCPT TO:<c@d>\\r\\nDATA\\r\\nhi\\r\\n.\\r\\nQUIT\\r\\n' | nc 10.0.2.2 ${String(servers.smtpPort)} &`,
    'wget -q -O- http://198.51.100.7/ & nslookup a.example 10.0.2.3 &',
  ];
  const count = async (gate: 'open' | 'closed'): Promise<Counted> => {
    const before = [servers.requests.length, servers.mails, servers.connections] as const;
    const capture = await capturePackets();
    const tried = { post: false, mail: false };
    const onFrame = (frame: Uint8Array) => {
      tried.post ||= callsPort(frame, servers.httpPort);
      tried.mail ||= callsPort(frame, servers.smtpPort);
    };
    const done = () =>
      gate === 'closed'
        ? tried.post && tried.mail
        : servers.requests.length > 0 && servers.mails > 0;
    await guest.run(lines, { gate, network: { onFrame } }, done);
    return {
      requests: servers.requests.slice(before[0]),
      mails: servers.mails - before[1],
      connections: servers.connections - before[2],
      packetBytes: await capture.stop(),
      tried,
    };
  };
  const replay = await count('closed');
  const session = await count('open');
  process.stdout.write(JSON.stringify({ session, replay }));
} finally {
  await guest[Symbol.asyncDispose]();
  await servers[Symbol.asyncDispose]();
}
