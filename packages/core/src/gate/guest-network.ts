import type { Machine } from '../machine/index.js';

import { FrameRelay } from './frame-relay.js';
import type { NetworkFault } from './network-process.js';
import { NetworkService, type Direction } from './network-service.js';
import { openSilentNetwork, openSilentRelay } from './silent-network.js';

export interface GuestNetworkOptions {
  readonly machine: Machine;
  readonly gate: 'open' | 'closed';
  readonly runDirectory: string;
  /** Every frame of the guest's, as it passes; it must not be kept. */
  readonly onFrame?: ((frame: Uint8Array, direction: Direction) => void) | undefined;
  /** Frames were not seen, or the network is away. */
  readonly onFault?: ((fault: NetworkFault) => void) | undefined;
  /** Brings a frame to a guest in virtual time; every other guest gets them without us. */
  readonly deliver?: ((frame: Uint8Array) => void) | undefined;
}

/**
 * What stands behind the guest's NIC: the network in a session, silence in a replay, nothing where the
 * machine has no NIC. To be there before the hypervisor starts, and until it has ended.
 */
export async function openGuestNetwork(
  options: GuestNetworkOptions,
): Promise<AsyncDisposable | undefined> {
  const { machine, gate, runDirectory } = options;
  const onFrame = options.onFrame ?? (() => undefined);
  const onFault = options.onFault ?? (() => undefined);
  const deliver = options.deliver ?? (() => undefined);
  const relayed = machine.clock === 'virtual';
  if (machine.network === 'none') return undefined;
  if (gate === 'open') {
    return relayed
      ? await FrameRelay.start({ runDirectory, onFrame, onFault, deliver })
      : await NetworkService.start({ runDirectory, onFrame, onFault });
  }
  return await (relayed ? openSilentRelay : openSilentNetwork)({
    runDirectory,
    onFrame: (frame) => {
      onFrame(frame, 'out');
    },
    onLost: () => {
      onFault({ reason: 'the guest is not connected any more', restarted: false });
    },
  });
}
