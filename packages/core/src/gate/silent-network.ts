import { networkSocketsIn } from '../hypervisor/qemu/network.js';

import { arpReplyTo } from './arp.js';
import { framed } from './frame-reader.js';
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
  return await listenForFrames({
    path: networkSocketsIn(options.runDirectory).silent,
    onFrame: (frame, reply) => {
      options.onFrame(frame);
      const answer = arpReplyTo(frame);
      if (answer !== undefined) reply(framed(answer));
    },
    onLost: () => options.onLost?.(),
  });
}
