import { networkSocketsIn } from '../hypervisor/qemu/network.js';

import { arpReplyTo } from './arp.js';
import { listenForFrames } from './frame-socket.js';

export interface SilentNetworkOptions {
  readonly runDirectory: string;
  /** Everything that the guest sent, frame by frame; it must not be kept. */
  readonly onFrame: (frame: Uint8Array) => void;
  readonly onLost?: () => void;
}

/**
 * The network of a replay: every frame ends here, and nothing answers. What looks up the hardware address of
 * the gateway is told it, so that the guest goes as far as it would have gone, and can be listed.
 * Must listen before the hypervisor starts.
 */
export async function openSilentNetwork(options: SilentNetworkOptions): Promise<AsyncDisposable> {
  const socket = await listenForFrames({
    path: networkSocketsIn(options.runDirectory).silent,
    onFrame: (frame) => {
      options.onFrame(frame);
      const answer = arpReplyTo(frame);
      if (answer !== undefined) socket.send(answer);
    },
    onLost: () => options.onLost?.(),
  });
  return socket;
}

/**
 * The same for a guest in virtual time. It is told nothing at all: what reached it in the session comes from the
 * log, each frame at its instant.
 */
export async function openSilentRelay(options: SilentNetworkOptions): Promise<AsyncDisposable> {
  return await listenForFrames({
    path: networkSocketsIn(options.runDirectory).relay,
    onFrame: options.onFrame,
    onLost: () => options.onLost?.(),
  });
}
