import { readFile, rm } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { OwnedProcess } from '../../process/index.js';

/** Bytes of a pcap file before its first packet. */
const PCAP_HEADER_BYTES = 24;
/** Long enough for the kernel to hand over what it has captured (tcpdump --immediate-mode). */
const LAG_MS = 500;

/** Whether this user may capture packets at all. */
export const mayCapture = userInfo().uid === 0;

/**
 * Captures packets on every interface: all there are (see isolated-network.ts for a place where that says something), or
 * those that go to or come from one of `ports`.
 */
export async function capturePackets(ports: readonly number[] = []): Promise<{
  /** Ends the capture; how many bytes of packets there were. */
  stop(): Promise<number>;
}> {
  const file = join(tmpdir(), `reprise-capture-${String(process.pid)}-${String(Date.now())}.pcap`);
  const filter = ports.map((port) => `port ${String(port)}`).join(' or ');
  let said = '';
  const tcpdump = await OwnedProcess.start(
    'tcpdump',
    ['-i', 'any', '-n', '-U', '--immediate-mode', '-Z', 'root', '-w', file, filter],
    { packageHint: 'tcpdump', onErrorOutput: (text) => (said += text) },
  );
  while (!said.includes('listening on')) {
    if (!tcpdump.running) throw new Error(`tcpdump ended: ${said}`);
    await sleep(20);
  }
  return {
    stop: async () => {
      await sleep(LAG_MS);
      await tcpdump.stop();
      const { length } = await readFile(file);
      await rm(file, { force: true });
      return Math.max(0, length - PCAP_HEADER_BYTES);
    },
  };
}
