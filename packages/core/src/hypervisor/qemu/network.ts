import { RepriseError } from '../../errors.js';
import type { Machine } from '../../machine/index.js';
import type { StartOptions } from '../port.js';

/** The one NIC that a machine may have: the same on every host, so that the guest never sees another. */
const NIC_MAC = '52:54:00:72:65:70';
const NETDEV_ID = 'net0';
/**
 * The guest is never asked to announce itself: a replay would have packets that the session had not. And QEMU 7.2,
 * told to have it announce nothing, frees the NIC's timer for it after a resume, and crashes when a guest that
 * agreed to announce resets its NIC: when it boots again.
 */
const NIC = `virtio-net-pci,netdev=${NETDEV_ID},mac=${NIC_MAC},guest_announce=off`;

/** Sockets that carry the guest's frames, one directory a run. */
export interface NetworkSockets {
  /** Of a session: QEMU's end and the network process's end of a pair of datagram sockets. */
  readonly guest: string;
  readonly outside: string;
  /** Of a replay: a stream socket of ours, where every frame ends. */
  readonly silent: string;
  /** Of a guest in virtual time: a stream socket of ours, where QEMU brings what the guest sends. */
  readonly relay: string;
}

export function networkSocketsIn(runDirectory: string): NetworkSockets {
  return {
    guest: `${runDirectory}/net-guest`,
    outside: `${runDirectory}/net-outside`,
    silent: `${runDirectory}/net-silent`,
    relay: `${runDirectory}/net-relay`,
  };
}

/**
 * The guest's NIC. Neither gate gives this process a way to the host's network: an open one leads to a
 * process of its own (see gate/network-service.ts), a closed one to a socket where we only listen. So
 * the device, and its state in a snapshot, is the same under both.
 */
export function networkArguments({ machine, gate, runDirectory }: StartOptions): string[] {
  if (machine.network === 'none') return [];
  if (machine.clock === 'virtual') return inVirtualTime(runDirectory);
  const { guest, outside, silent } = networkSocketsIn(runDirectory);
  const backend =
    gate === 'open'
      ? {
          type: 'dgram',
          id: NETDEV_ID,
          local: { type: 'unix', path: guest },
          remote: { type: 'unix', path: outside },
        }
      : { type: 'stream', id: NETDEV_ID, server: false, addr: { type: 'unix', path: silent } };
  return [...['-netdev', JSON.stringify(backend)], ...['-device', NIC]];
}

/**
 * In virtual time the device acts inside the instruction that kicks it, and sends at a time that the guest's
 * clock gives. What it sends is handed to us by a filter, which takes every frame at once and for good: a
 * backend may ask the device to wait, for as long as its host likes. So the backend is a hub that leads
 * nowhere, under both gates; frames to the guest come through the plugin, which finds the NIC behind it.
 */
function inVirtualTime(runDirectory: string): string[] {
  // QEMU's option lists end a value at a comma; a doubled one stands for itself.
  const path = networkSocketsIn(runDirectory).relay.replaceAll(',', ',,');
  return [
    ...['-netdev', `hubport,id=${NETDEV_ID},hubid=0`],
    ...['-chardev', `socket,id=relay,path=${path}`],
    ...['-object', `filter-redirector,id=sent,netdev=${NETDEV_ID},queue=rx,outdev=relay`],
    ...['-device', `${NIC},ioeventfd=off,tx=timer`],
  ];
}

/**
 * Checks what QEMU says that it has (`info network`) against what a closed gate allows: the NIC, and our
 * socket behind it; in virtual time the NIC alone, at a hub. Throws GATE_NOT_CLOSED for anything else, whatever
 * made it be there.
 */
export function assertClosed(
  infoNetwork: string,
  {
    runDirectory,
    machine,
  }: { readonly runDirectory: string; readonly machine: Pick<Machine, 'clock'> },
): void {
  const { silent } = networkSocketsIn(runDirectory);
  for (const line of infoNetwork.split(/\r?\n/)) {
    const entry = /index=\d+,type=([^,\s]+),?(.*)$/.exec(line);
    if (line.trim() === '' || entry?.[1] === 'nic') continue;
    if (machine.clock === 'virtual' && line === 'hub 0') continue;
    if (machine.clock === 'host' && entry?.[1] === 'stream' && entry[2] === `unix:${silent}`)
      continue;
    throw new RepriseError(
      'GATE_NOT_CLOSED',
      'The guest of a replay has a network that could answer, so it is not run. Migrate with --strategy ship, and report this.',
      { context: { line: line.slice(0, 200) } },
    );
  }
}
