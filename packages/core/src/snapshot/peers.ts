import { readRecord, writeRecord } from '../lease/durable-file.js';
import type { VmLayout } from './layout.js';
import { peersSchema, type PeerRecord } from './records.js';

/** More hosts than a person moves between; the ones not seen for longest go first. */
const MAX_PEERS = 64;

export async function readPeers(vm: VmLayout): Promise<PeerRecord[]> {
  return (await readRecord(vm.peers, peersSchema))?.peers ?? [];
}

/** One entry a host, the newest first. */
export async function recordPeer(
  vm: VmLayout,
  hostId: string,
  root: string,
  label: string | undefined,
): Promise<void> {
  const others = (await readPeers(vm)).filter((peer) => peer.hostId !== hostId);
  const entry: PeerRecord = {
    hostId,
    root,
    at: new Date().toISOString(),
    ...(label === undefined ? {} : { label }),
  };
  const peers = [entry, ...others].slice(0, MAX_PEERS);
  await writeRecord(vm.peers, peersSchema, { version: 1, peers });
}
