/** A display that draws what a test says and keeps, in order, every input it gets. Speaks RFB 3.8 over a unix socket, security None. */
import { once } from 'node:events';
import { mkdtemp, rmdir } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { InputEvent } from '../../input/input-event.js';
import { ByteReader } from '../byte-reader.js';
import { type ClientMessage, ClientMessageParser } from '../client-messages.js';
import { serverHandshake } from '../rfb-handshake.js';
import { bgrx, encodeServerInit } from '../rfb-protocol.js';
import { Waiters } from '../waiters.js';

const WAIT_MS = 20_000;

interface Viewer {
  readonly socket: Socket;
  /** An update request waits for something to tell. */
  asked: boolean;
  stale: boolean;
}

export class RecordingDisplay implements AsyncDisposable {
  readonly path: string;
  /** Inputs of all connections, in the order in which they came. */
  readonly inputs: InputEvent[] = [];
  /** Names of all other messages. */
  readonly messages: string[] = [];
  /** The encodings of every SetEncodings. */
  readonly encodings: number[][] = [];
  readonly width: number;
  readonly height: number;
  readonly #directory: string;
  readonly #server: Server;
  readonly #viewers = new Set<Viewer>();
  readonly #waiters = new Waiters();
  readonly #pixels: Uint32Array;

  private constructor(directory: string, width: number, height: number) {
    this.#directory = directory;
    this.path = join(directory, 'display');
    this.width = width;
    this.height = height;
    this.#pixels = new Uint32Array(width * height);
    this.#server = createServer((socket) => void this.#serve(socket));
  }

  static async start(width = 128, height = 96): Promise<RecordingDisplay> {
    const display = new RecordingDisplay(
      await mkdtemp(join(tmpdir(), 'reprise-display-')),
      width,
      height,
    );
    const listening = once(display.#server, 'listening');
    display.#server.listen(display.path);
    await listening;
    return display;
  }

  get connections(): number {
    return this.#viewers.size;
  }

  /** Fills a rectangle and tells everybody who asked. */
  draw(x: number, y: number, width: number, height: number, colour: number): void {
    for (let row = y; row < y + height; row++) {
      this.#pixels.fill(colour, row * this.width + x, row * this.width + x + width);
    }
    for (const viewer of this.#viewers) {
      viewer.stale = true;
      this.#update(viewer);
    }
  }

  /** Resolves when the condition holds; looked at after every message and connection. */
  async until(condition: () => boolean): Promise<void> {
    if (!(await this.#waiters.wait(condition, { timeoutMs: WAIT_MS })))
      throw new Error('the display waited in vain');
  }

  /** Cuts every connection, as a display that goes away. */
  drop(): void {
    for (const { socket } of this.#viewers) socket.destroy();
  }

  /** Sends bytes to every connection. */
  send(bytes: Buffer): void {
    for (const { socket } of this.#viewers) socket.write(bytes);
  }

  async close(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.drop();
    await closed;
    await rmdir(this.#directory);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #serve(socket: Socket): Promise<void> {
    socket.on('error', () => socket.destroy());
    const reader = new ByteReader(socket, () => new Error('gone'));
    const viewer: Viewer = { socket, asked: false, stale: false };
    try {
      await serverHandshake(reader, socket, undefined, new AbortController().signal);
      socket.write(
        encodeServerInit({
          width: this.width,
          height: this.height,
          format: bgrx,
          name: 'recording',
        }),
      );
      this.#viewers.add(viewer);
      this.#waiters.notify();
      const parser = new ClientMessageParser();
      for (let chunk = await reader.readSome(); chunk !== null; chunk = await reader.readSome()) {
        parser.push(chunk);
        for (let message = parser.next(); message !== undefined; message = parser.next())
          this.#take(message, viewer);
        this.#waiters.notify();
      }
    } finally {
      this.#viewers.delete(viewer);
      socket.destroy();
      this.#waiters.notify();
    }
  }

  #take(message: ClientMessage, viewer: Viewer): void {
    if (message.route === 'input') {
      this.inputs.push(message.event);
      return;
    }
    this.messages.push(message.name);
    if (message.route === 'refuse') return;
    if (message.name === 'SetEncodings') {
      const list = Array.from({ length: (message.bytes.length - 4) / 4 }, (_, i) =>
        message.bytes.readInt32BE(4 + 4 * i),
      );
      this.encodings.push(list);
    } else if (message.name === 'FramebufferUpdateRequest') {
      viewer.asked = true;
      viewer.stale ||= message.bytes.readUInt8(1) === 0;
      this.#update(viewer);
    }
  }

  /** The whole screen, raw. */
  #update(viewer: Viewer): void {
    if (!viewer.asked || !viewer.stale) return;
    viewer.asked = false;
    viewer.stale = false;
    const head = Buffer.alloc(16);
    head.writeUInt16BE(1, 2);
    head.writeUInt16BE(this.width, 8);
    head.writeUInt16BE(this.height, 10);
    viewer.socket.write(Buffer.concat([head, new Uint8Array(this.#pixels.buffer)]));
  }
}
