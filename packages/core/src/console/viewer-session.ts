import type { Socket } from 'node:net';

import { RepriseError } from '../errors.js';

import { ByteReader } from './byte-reader.js';
import { type ClientMessage, ClientMessageParser } from './client-messages.js';
import {
  connectDisplay,
  type DisplayAddress,
  type DisplayConnection,
  endConnection,
} from './display-connection.js';
import type { InputPath } from './input-path.js';
import { serverHandshake, type ViewerAuthentication } from './rfb-handshake.js';

export interface ViewerOptions {
  readonly display: DisplayAddress;
  readonly path: InputPath;
  readonly authentication: ViewerAuthentication | undefined;
  readonly onWarning: (warning: RepriseError) => void;
  /** For version, security and ClientInit. */
  readonly handshakeTimeoutMs: number;
}

/**
 * One viewer: its handshake, its own display connection for pixels, and the judgement of every message it sends. Keys and
 * pointer events go the common path; see ADR 5.
 */
export class ViewerSession {
  readonly #viewer: Socket;
  readonly #options: ViewerOptions;
  readonly #abort = new AbortController();
  readonly #refused = new Set<string>();
  #display: DisplayConnection | undefined;
  /** Resolves when both connections are over and what this viewer pressed is released. Never rejects. */
  readonly done: Promise<void>;

  constructor(viewer: Socket, options: ViewerOptions) {
    this.#viewer = viewer;
    this.#options = options;
    // The reason of a broken connection is of no use to anybody; that it ended is seen by the reader.
    viewer.on('error', () => viewer.destroy());
    viewer.setNoDelay(true);
    viewer.once('close', () => {
      this.#abort.abort();
    });
    this.done = this.#run();
  }

  close(): void {
    this.#viewer.destroy();
  }

  async #run(): Promise<void> {
    try {
      const reader = await this.#welcome();
      await this.#relay(reader);
    } catch (error) {
      if (error instanceof RepriseError && error.code !== 'CANCELLED' && !this.#isGone(error))
        this.#options.onWarning(error);
    } finally {
      const display = this.#display;
      if (display !== undefined)
        await this.#options.path.leave(() => endConnection(display.socket));
      this.#viewer.destroySoon();
    }
  }

  /** A viewer that just went away is nothing to warn about. */
  #isGone(error: RepriseError): boolean {
    return error.code === 'LINK_CLOSED';
  }

  async #welcome(): Promise<ByteReader> {
    const reader = new ByteReader(
      this.#viewer,
      () => new RepriseError('LINK_CLOSED', 'The viewer went away.'),
    );
    const deadline = setTimeout(() => {
      this.#viewer.destroy();
    }, this.#options.handshakeTimeoutMs);
    try {
      await serverHandshake(reader, this.#viewer, this.#options.authentication, this.#abort.signal);
      this.#display = await connectDisplay(this.#options.display, { signal: this.#abort.signal });
      this.#viewer.write(this.#display.initBytes);
      this.#pumpPixels(this.#display);
      return reader;
    } catch (error) {
      if (this.#abort.signal.aborted)
        throw new RepriseError('LINK_CLOSED', 'The viewer went away.', { cause: error });
      throw error;
    } finally {
      clearTimeout(deadline);
    }
  }

  /** Display to viewer: bytes, untouched. A viewer that does not read stops the display's connection, nothing else. */
  #pumpPixels({ socket, reader }: DisplayConnection): void {
    const viewer = this.#viewer;
    viewer.write(reader.detach());
    socket.on('data', (chunk: Buffer) => {
      if (!viewer.destroyed && !viewer.write(chunk)) socket.pause();
    });
    viewer.on('drain', () => socket.resume());
    // The display ended: the viewer has nothing left to look at.
    socket.once('close', () => {
      viewer.destroySoon();
    });
    socket.resume();
  }

  async #relay(reader: ByteReader): Promise<void> {
    const parser = new ClientMessageParser();
    for (let chunk = await reader.readSome(); chunk !== null; chunk = await reader.readSome()) {
      parser.push(chunk);
      for (let message = parser.next(); message !== undefined; message = parser.next()) {
        await this.#forward(message);
      }
    }
  }

  async #forward(message: ClientMessage): Promise<void> {
    switch (message.route) {
      case 'pass':
        await this.#toDisplay(message.bytes);
        return;
      case 'refuse':
        this.#warnRefused(message.name);
        return;
      case 'input': {
        const own = message.event.kind === 'resize' || message.event.kind === 'clipboard';
        await this.#options.path.take(
          message.event,
          this.#abort.signal,
          own ? () => void this.#display?.socket.write(message.bytes) : undefined,
        );
      }
    }
  }

  async #toDisplay(bytes: Buffer): Promise<void> {
    const socket = this.#display?.socket;
    if (socket?.writable !== true || socket.write(bytes)) return;
    await new Promise<void>((resolve) => {
      const go = (): void => {
        socket.off('drain', go);
        socket.off('close', go);
        resolve();
      };
      socket.once('drain', go);
      socket.once('close', go);
    });
  }

  /** Once a name and viewer: a viewer may repeat itself without end. */
  #warnRefused(name: string): void {
    if (this.#refused.has(name)) return;
    this.#refused.add(name);
    this.#options.onWarning(
      new RepriseError(
        'RFB_UNSUPPORTED',
        `A viewer sent ${name}, which is not passed to the VM. Control the VM with reprise instead.`,
        { context: { message: name } },
      ),
    );
  }
}
