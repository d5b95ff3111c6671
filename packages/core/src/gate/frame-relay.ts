import { networkSocketsIn } from '../hypervisor/qemu/network.js';
import { CleanupStack } from '../process/index.js';

import { listenForFrames, type FrameSocket } from './frame-socket.js';
import { NetworkProcess } from './network-process.js';
import type { NetworkServiceOptions } from './network-service.js';

export interface FrameRelayOptions extends NetworkServiceOptions {
  /** A frame for the guest, which somebody else brings it, at an instant that a replay finds again. It may be kept. */
  readonly deliver: (frame: Uint8Array) => void;
}

/**
 * The network of a session in virtual time. What the guest sends comes to us and goes on to the network process
 * at once; what that answers is for `deliver`. There is no other way between the two.
 */
export class FrameRelay implements AsyncDisposable {
  readonly #cleanup: CleanupStack;
  readonly #network: NetworkProcess;

  private constructor(cleanup: CleanupStack, network: NetworkProcess) {
    this.#cleanup = cleanup;
    this.#network = network;
  }

  /** To be there before the guest's QEMU starts. Throws NETWORK_UNAVAILABLE. */
  static async start(options: FrameRelayOptions): Promise<FrameRelay> {
    const { runDirectory, onFrame, onFault, deliver } = options;
    const sockets = networkSocketsIn(runDirectory);
    const cleanup = new CleanupStack();
    try {
      const started: { network?: NetworkProcess } = {};
      const world: FrameSocket = await listenForFrames({
        path: sockets.outside,
        onFrame: (frame) => {
          onFrame(frame, 'in');
          deliver(Uint8Array.from(frame));
        },
        onLost: () => started.network?.replace(),
      });
      cleanup.use(world);
      cleanup.use(
        await listenForFrames({
          path: sockets.relay,
          onFrame: (frame) => {
            onFrame(frame, 'out');
            world.send(frame);
          },
          onLost: (error) => {
            if (error !== undefined) onFault({ reason: error.message, restarted: false });
          },
        }),
      );
      started.network = cleanup.use(
        await NetworkProcess.start({
          carrier: carrierArguments(sockets.outside),
          ready: () => Promise.resolve(world.connected),
          onFault,
        }),
      );
      return new FrameRelay(cleanup, started.network);
    } catch (error) {
      await cleanup.release();
      throw error;
    }
  }

  /** For tests that kill it. */
  get processId(): number {
    return this.#network.processId;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#cleanup.release();
  }
}

function carrierArguments(path: string): string[] {
  const carrier = { type: 'stream', id: 'guest', server: false, addr: { type: 'unix', path } };
  return [
    ...['-netdev', JSON.stringify(carrier)],
    ...['-netdev', 'hubport,id=p2,hubid=0,netdev=guest'],
  ];
}
