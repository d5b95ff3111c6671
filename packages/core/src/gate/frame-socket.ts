import { chmod, rm } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';

import { FrameReader, framed } from './frame-reader.js';

/**
 * A unix socket where one QEMU process delivers frames. To be disposed of when that process has ended: what it
 * delivered last is still read then.
 */
export interface FrameSocket extends AsyncDisposable {
  /** Whether somebody delivers at present. */
  readonly connected: boolean;
  /** Sends the peer a frame. Without a peer, or where too much waits for it, the frame is dropped, as a network would. */
  send(frame: Uint8Array): void;
}

export interface FrameSocketOptions {
  readonly path: string;
  /** Called for each frame in order; it must not keep the frame. */
  readonly onFrame: (frame: Uint8Array) => void;
  /** The peer went away, or said what it may not say; `error` tells which. */
  readonly onLost: (error: Error | undefined) => void;
}

/** How long a peer that should have ended may keep its end open. */
const LAST_FRAMES_MS = 2000;
/** What may wait to be sent. */
const MAX_WAITING_BYTES = 256 * 1024;

/** Listens at `path`, for its owner only, for one peer at a time. */
export async function listenForFrames(options: FrameSocketOptions): Promise<FrameSocket> {
  const { path } = options;
  let peer: Socket | undefined;
  let closing = false;
  await rm(path, { force: true });
  const server = createServer((socket) => {
    if (peer !== undefined) {
      socket.destroy();
      return;
    }
    peer = socket;
    let failure: Error | undefined;
    socket.on('error', (error) => (failure = error));
    socket.once('close', () => {
      peer = undefined;
      if (!closing) options.onLost(failure);
    });
    deliver(socket, options);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, resolve);
  });
  await chmod(path, 0o600);
  return {
    get connected() {
      return peer !== undefined;
    },
    send: (frame) => {
      if (peer?.writable === true && peer.writableLength < MAX_WAITING_BYTES) {
        peer.write(framed(frame));
      }
    },
    [Symbol.asyncDispose]: async () => {
      closing = true;
      // Settles when the peer has closed as well: at the end of what it sent.
      const closed = new Promise((resolve) => server.close(resolve));
      const timer = setTimeout(() => peer?.destroy(), LAST_FRAMES_MS);
      await closed;
      clearTimeout(timer);
    },
  };
}

function deliver(socket: Socket, { onFrame }: FrameSocketOptions): void {
  const reader = new FrameReader();
  socket.on('data', (chunk: Buffer) => {
    try {
      for (const frame of reader.push(chunk)) onFrame(frame);
    } catch (error) {
      socket.destroy(error as Error);
    }
  });
}
