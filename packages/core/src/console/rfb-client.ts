import { once } from 'node:events';
import type { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

import { RepriseError, throwIfCancelled } from '../errors.js';
import type { InputEvent, ScreenLayout, TileRect } from '../input/input-event.js';

import type { ByteReader } from './byte-reader.js';
import { encodeInput } from './client-messages.js';
import {
  connectDisplay,
  type ConnectOptions,
  type DisplayAddress,
  type DisplayConnection,
  endConnection,
} from './display-connection.js';
import type { Frame } from './frame.js';
import { Framebuffer, type TileObserver } from './framebuffer.js';
import { type KeyName, keystroke, keysym } from './keysym.js';
import {
  bgrx,
  clientMessage,
  encodeSetEncodings,
  encodeSetPixelFormat,
  encodeUpdateRequest,
  encoding,
  qemuClientAudio,
  qemuMessage,
} from './rfb-protocol.js';
import { readServerMessage, type ServerEvent } from './server-messages.js';
import { Waiters, type WaitOptions } from './waiters.js';

export interface RfbClientOptions extends ConnectOptions {
  /** Told of every tile that changes, and of resizes. */
  readonly observer?: TileObserver;
  /** How long the display may rest before it is asked to look again; see ADR 5. Default 400 ms. */
  readonly pokeIntervalMs?: number;
}

const POKE_INTERVAL_MS = 400;
const SCREENSHOT_TIMEOUT_MS = 5000;
/** QEMU holds each key for 10 ms before it takes the next. */
const TYPING_GAP_MS = 15;

/** QEMU's "audio off": no effect where no audio is captured, but the display refreshes soon. */
const poke = Buffer.from([clientMessage.qemu, qemuMessage.audio, 0, qemuClientAudio.disable]);

/**
 * The one RFB client: keeps the screen (raw encoding, an update request always outstanding) and puts input in. Used for anchors,
 * replay, screenshots and scripted sessions. When the connection ends, waiting calls reject with DISPLAY_LOST; QEMU
 * then lifts every key that is still pressed.
 */
export class RfbClient implements AsyncDisposable {
  readonly name: string;
  /** Resolves when the connection is over, whoever ended it. */
  readonly closed: Promise<void>;
  readonly #socket: Socket;
  readonly #reader: ByteReader;
  readonly #framebuffer: Framebuffer;
  readonly #waiters = new Waiters();
  readonly #listeners = new Set<() => void>();
  readonly #poking: NodeJS.Timeout;
  #changes = 0;
  /** A request for the whole screen is not answered yet. */
  #fullAsked = false;
  #changedAtMs = performance.now();
  #between = true;
  #audio = false;
  #failure: RepriseError | undefined;

  private constructor(connection: DisplayConnection, options: RfbClientOptions) {
    this.name = connection.init.name;
    this.#socket = connection.socket;
    this.#reader = connection.reader;
    this.#framebuffer = new Framebuffer(options.observer);
    this.#framebuffer.resize(connection.init.width, connection.init.height);
    this.#socket.write(
      Buffer.concat([
        encodeSetPixelFormat(bgrx),
        encodeSetEncodings([
          encoding.raw,
          encoding.desktopSize,
          encoding.qemuAudio,
          encoding.extendedClipboard,
        ]),
      ]),
    );
    this.#request(false);
    this.#poking = setInterval(() => {
      if (this.#audio && this.#socket.writable) this.#socket.write(poke);
    }, options.pokeIntervalMs ?? POKE_INTERVAL_MS);
    this.#poking.unref();
    this.closed = this.#run();
  }

  static async connect(
    address: DisplayAddress,
    options: RfbClientOptions = {},
  ): Promise<RfbClient> {
    return new RfbClient(await connectDisplay(address, options), options);
  }

  get width(): number {
    return this.#framebuffer.width;
  }

  get height(): number {
    return this.#framebuffer.height;
  }

  /** False once the connection ended. */
  get open(): boolean {
    return this.#failure === undefined;
  }

  /** Counts the updates that changed the screen. */
  get changes(): number {
    return this.#changes;
  }

  /** How long the screen has shown the same. */
  get quietMs(): number {
    return performance.now() - this.#changedAtMs;
  }

  /** Digest of the last complete screen. Cheap: tiles are hashed as they arrive. */
  digest(mask: readonly TileRect[] = []): string {
    return this.#framebuffer.digest(mask);
  }

  /** A copy of the last complete screen as held, without asking the display. Rejects with DISPLAY_LOST or TIMEOUT. */
  async frame(options: WaitOptions = { timeoutMs: SCREENSHOT_TIMEOUT_MS }): Promise<Frame> {
    await this.#until(() => this.#between, options);
    return this.#framebuffer.frame();
  }

  /** Asks the display for everything and waits for it. False: it did not answer in time. */
  async refresh(options: WaitOptions): Promise<boolean> {
    const end = performance.now() + options.timeoutMs;
    // The answer to an earlier question may show less than what is on the screen by now.
    if (this.#fullAsked && !(await this.#waiters.wait(() => !this.#fullAsked, options)))
      return false;
    this.#request(false);
    if (this.#audio) this.#write(poke);
    const timeoutMs = Math.max(0, end - performance.now());
    return this.#waiters.wait(() => !this.#fullAsked, { ...options, timeoutMs });
  }

  /** The screen as it is now. */
  async screenshot(options: WaitOptions = { timeoutMs: SCREENSHOT_TIMEOUT_MS }): Promise<Frame> {
    if (!(await this.refresh(options)))
      throw timeout('The display did not send its screen in time.');
    return this.frame(options);
  }

  /** `listener` runs at every update that changes the screen, until the function that this returns is called. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** True when the screen changed since `changes` had the value `since` (default: since now). False at the timeout. */
  waitForChange(options: WaitOptions & { readonly since?: number }): Promise<boolean> {
    const since = options.since ?? this.#changes;
    return this.#waiters.wait(() => this.#changes > since, options);
  }

  /** True when the screen has not changed for `quietMs`. False at the timeout. */
  async waitForQuiet(options: WaitOptions & { readonly quietMs: number }): Promise<boolean> {
    const end = performance.now() + options.timeoutMs;
    for (;;) {
      const quiet = this.quietMs;
      if (quiet >= options.quietMs) return true;
      const left = Math.min(options.quietMs - quiet, end - performance.now());
      if (left <= 0) return false;
      await this.waitForChange({ ...options, timeoutMs: left });
    }
  }

  /**
   * Puts events in, all in one piece: the guest has them at one instant. False: the display is slow to read; wait for
   * drained() before sending much more.
   */
  send(...events: readonly InputEvent[]): boolean {
    return this.#write(Buffer.concat(events.map(encodeInput)));
  }

  /** Resolves when what was sent has left this process, or the connection ended. */
  async drained(): Promise<void> {
    if (!this.#socket.writableNeedDrain) return;
    const done = new AbortController();
    const { signal } = done;
    await Promise.race([once(this.#socket, 'drain', { signal }), this.closed]).catch(
      () => undefined,
    );
    done.abort();
  }

  key(sym: number, down: boolean): void {
    this.send({ kind: 'key', keysym: sym, down });
  }

  extendedKey(sym: number, keycode: number, down: boolean): void {
    this.send({ kind: 'extended-key', keysym: sym, keycode, down });
  }

  pointer(x: number, y: number, buttons = 0): void {
    this.send({ kind: 'pointer', x, y, buttons });
  }

  resize(width: number, height: number, screens: readonly ScreenLayout[]): void {
    this.send({ kind: 'resize', width, height, screens });
  }

  /** Presses and releases one key. */
  press(key: KeyName | number): void {
    const sym = typeof key === 'number' ? key : keysym[key];
    this.key(sym, true);
    this.key(sym, false);
  }

  /** Types text as a person at a US keyboard would, Shift included; a newline is Return. */
  async type(
    text: string,
    options: { readonly gapMs?: number; readonly signal?: AbortSignal } = {},
  ): Promise<void> {
    const gapMs = options.gapMs ?? TYPING_GAP_MS;
    const wait = options.signal === undefined ? {} : { signal: options.signal };
    for (const character of text) {
      throwIfCancelled(options.signal);
      const stroke = keystroke(character);
      if (stroke.shift) this.key(keysym.ShiftLeft, true);
      this.press(stroke.keysym);
      if (stroke.shift) this.key(keysym.ShiftLeft, false);
      await delay(gapMs * (stroke.shift ? 2 : 1), undefined, wait);
    }
  }

  /** Ends the connection in order. Idempotent. */
  async close(): Promise<void> {
    this.#fail(lost());
    await endConnection(this.#socket);
    await this.closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #run(): Promise<void> {
    try {
      while (this.open) {
        await this.#reader.need(1);
        this.#between = false;
        const event = await readServerMessage(this.#reader, this.#framebuffer);
        this.#between = true;
        if (event.kind === 'update') this.#updated(event);
        this.#waiters.notify();
      }
    } catch (cause) {
      if (this.open) this.#socket.destroy();
      this.#fail(
        cause instanceof RepriseError && cause.code === 'RFB_VIOLATION' ? cause : lost(cause),
      );
    } finally {
      // What the display still sends is let go, so that the socket can end.
      this.#reader.detach();
      this.#socket.resume();
    }
  }

  #updated(event: ServerEvent & { readonly kind: 'update' }): void {
    if (this.#failure !== undefined) return;
    this.#audio ||= event.audio;
    this.#request(true);
    if (event.pixels >= this.width * this.height) this.#fullAsked = false;
    if (event.resized) this.#request(false);
    if (event.changedTiles === 0 && !event.resized) return;
    this.#changes++;
    this.#changedAtMs = performance.now();
    for (const listener of this.#listeners) listener();
  }

  #request(incremental: boolean): void {
    this.#fullAsked ||= !incremental;
    this.#write(encodeUpdateRequest(incremental, this.width, this.height));
  }

  #write(bytes: Buffer): boolean {
    if (this.#failure !== undefined) throw this.#failure;
    return this.#socket.write(bytes);
  }

  #fail(error: RepriseError): void {
    this.#failure ??= error;
    clearInterval(this.#poking);
    this.#waiters.fail(error);
  }

  async #until(condition: () => boolean, options: WaitOptions): Promise<void> {
    if (!(await this.#waiters.wait(condition, options)))
      throw timeout('The display did not complete an update in time.');
  }
}

function lost(cause?: unknown): RepriseError {
  return new RepriseError(
    'DISPLAY_LOST',
    'The connection to the display ended. Check that the VM runs, then connect again.',
    {
      cause,
    },
  );
}

function timeout(what: string): RepriseError {
  return new RepriseError('TIMEOUT', `${what} The host may be overloaded: try again.`);
}
