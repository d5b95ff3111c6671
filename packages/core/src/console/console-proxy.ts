import { createServer, type Server, type Socket } from 'node:net';

import { RepriseError } from '../errors.js';
import type { InputSink, SessionEnd } from '../input/input-event.js';
import { SessionClock } from '../input/session-clock.js';

import { listenOnLoopback, listenOnPath, type Listening } from './console-socket.js';
import type { DisplayAddress } from './display-connection.js';
import { DisplayKeeper } from './display-keeper.js';
import type { Frame } from './frame.js';
import type { GuestProgress } from './guest-progress.js';
import type { InputBacklog } from './input-flow.js';
import type { InputInjector } from './input-injector.js';
import { InputPath } from './input-path.js';
import { InputRecorder } from './input-recorder.js';
import { ViewerSession } from './viewer-session.js';
import { AuthenticationThrottle, VNC_PASSWORD_LENGTH } from './vnc-authentication.js';

export type ConsoleListen =
  | { readonly path: string }
  | { readonly host: '127.0.0.1'; readonly port: number; readonly password: string };

export interface ConsoleProxyOptions {
  /** The VM's display: RFB 3.8, security None. */
  readonly display: DisplayAddress;
  /** A unix socket (made with mode 0600), or a loopback port with a password (8 characters count). */
  readonly listen: ConsoleListen;
  /** Where input is recorded; without it the proxy only relays. */
  readonly recorder?: InputSink;
  /** The session's clock. Default: one that starts now. */
  readonly clock?: SessionClock;
  /** Takes keys and pointer to the guest in the display's place; there are no anchors then. */
  readonly injector?: InputInjector;
  /** CPU time of the guest, for the anchors; and its starving, which no viewer's input is hurried by. */
  readonly guestProgress?: GuestProgress;
  /** What the guest has not taken yet; viewers wait while that is much. Without it their keys are kept apart. */
  readonly inputBacklog?: InputBacklog;
  /** Viewers at once. Default 8. */
  readonly maxViewers?: number;
  /** Default 30 s. */
  readonly handshakeTimeoutMs?: number;
  /** Ends the proxy. */
  readonly signal?: AbortSignal;
  /** Things an operator should see; never what was typed. */
  readonly onWarning?: (warning: RepriseError) => void;
}

const MAX_VIEWERS = 8;
const HANDSHAKE_TIMEOUT_MS = 30_000;
const FINAL_REFRESH_MS = 1000;

export interface ConsoleProxy extends AsyncDisposable {
  /** The socket's path, or host:port. */
  readonly address: string;
  /** Viewers connected now, those in their handshake included. */
  readonly viewers: number;
  /** The screen as it is now. */
  screen(): Promise<Frame>;
  /**
   * Releases every pressed key and button (recorded) and drops viewers' input until admitInput(). To be called before the VM is
   * paused, so that a snapshot holds no pressed key.
   */
  holdInput(): Promise<void>;
  admitInput(): void;
  /** Holds input, takes the final anchor and closes the recording. Viewers may go on looking. Idempotent. */
  endSession(): Promise<SessionEnd>;
  /** Closes viewers, the display's connection and the listener. Does not end the recording's sink. Idempotent. */
  close(): Promise<void>;
}

/** Throws DISPLAY_UNAVAILABLE, CONSOLE_ADDRESS_IN_USE, CONSOLE_LISTEN_FAILED, INVALID_ARGUMENT, CANCELLED. */
export async function openConsoleProxy(options: ConsoleProxyOptions): Promise<ConsoleProxy> {
  checkListen(options.listen);
  const proxy = new RecordingConsole(options);
  try {
    await proxy.open();
  } catch (error) {
    await proxy.close();
    throw error;
  }
  return proxy;
}

class RecordingConsole implements ConsoleProxy {
  readonly #options: ConsoleProxyOptions;
  readonly #server: Server;
  readonly #sessions = new Set<ViewerSession>();
  readonly #throttle = new AuthenticationThrottle();
  readonly #recorder: InputRecorder | undefined;
  readonly #path: InputPath;
  readonly #onAbort = (): void => void this.close();
  #keeper: DisplayKeeper | undefined;
  #listening: Listening | undefined;
  #ended: Promise<SessionEnd> | undefined;
  #closed: Promise<void> | undefined;

  constructor(options: ConsoleProxyOptions) {
    this.#options = options;
    const { recorder, guestProgress, injector, clock = new SessionClock() } = options;
    if (recorder !== undefined) {
      this.#recorder = new InputRecorder({
        sink: recorder,
        clock,
        anchors: injector === undefined,
        ...(guestProgress === undefined ? {} : { guestProgress }),
      });
    }
    this.#path = new InputPath({
      display: () => this.#keeper?.client,
      recorder: this.#recorder,
      injector,
      inputBacklog: options.inputBacklog,
      ...(guestProgress === undefined
        ? {}
        : { starvedMs: async () => (await guestProgress()).starvedMs }),
      onWarning: this.#warn,
    });
    this.#server = createServer((socket) => {
      this.#welcome(socket);
    });
  }

  async open(): Promise<void> {
    const { display, listen, signal } = this.#options;
    this.#keeper = await DisplayKeeper.open(
      {
        display,
        ...(this.#recorder === undefined ? {} : { observer: this.#recorder.blinks }),
        onLost: (lost) => {
          this.#path.displayLost(lost);
          for (const session of this.#sessions) session.close();
        },
        onBack: (client) => {
          this.#path.displayBack(client);
        },
        onWarning: this.#warn,
      },
      signal,
    );
    this.#listening =
      'path' in listen
        ? await listenOnPath(this.#server, listen.path)
        : await listenOnLoopback(this.#server, listen.host, listen.port);
    this.#server.on('error', (cause) => {
      this.#warn(
        new RepriseError(
          'CONSOLE_LISTEN_FAILED',
          "The console takes no more viewers. Restart the VM's console.",
          { cause },
        ),
      );
    });
    signal?.addEventListener('abort', this.#onAbort, { once: true });
    if (signal?.aborted === true) this.#onAbort();
  }

  get address(): string {
    return this.#listening?.address ?? '';
  }

  get viewers(): number {
    return this.#sessions.size;
  }

  async screen(): Promise<Frame> {
    const client = this.#keeper?.client;
    if (client === undefined) {
      throw new RepriseError(
        'DISPLAY_LOST',
        'The display is away at the moment. Check that the VM runs, then try again.',
      );
    }
    return client.screenshot();
  }

  holdInput(): Promise<void> {
    return this.#path.hold();
  }

  admitInput(): void {
    this.#path.admit();
  }

  endSession(): Promise<SessionEnd> {
    this.#ended ??= this.#endSession();
    return this.#ended;
  }

  async #endSession(): Promise<SessionEnd> {
    await this.#path.hold();
    const client = this.#keeper?.client;
    // Without an answer the held screen stands: it is at most one refresh old.
    await client?.refresh({ timeoutMs: FINAL_REFRESH_MS }).catch(() => false);
    if (this.#recorder === undefined) return { atMs: this.#options.clock?.now() ?? 0 };
    return this.#recorder.finish(client);
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #close(): Promise<void> {
    this.#options.signal?.removeEventListener('abort', this.#onAbort);
    this.#recorder?.stop();
    await this.#listening?.close();
    this.#server.close();
    const sessions = [...this.#sessions];
    for (const session of sessions) session.close();
    await Promise.all(sessions.map((session) => session.done));
    await this.#keeper?.close();
  }

  readonly #warn = (warning: RepriseError): void => {
    this.#options.onWarning?.(warning);
  };

  #welcome(socket: Socket): void {
    const {
      listen,
      display,
      maxViewers = MAX_VIEWERS,
      handshakeTimeoutMs = HANDSHAKE_TIMEOUT_MS,
    } = this.#options;
    if (this.#sessions.size >= maxViewers) {
      socket.destroy();
      this.#warn(
        new RepriseError(
          'RFB_UNSUPPORTED',
          `A viewer was turned away: ${maxViewers} are connected. Close one first.`,
        ),
      );
      return;
    }
    const session = new ViewerSession(socket, {
      display,
      path: this.#path,
      authentication:
        'password' in listen ? { password: listen.password, throttle: this.#throttle } : undefined,
      onWarning: this.#warn,
      handshakeTimeoutMs,
    });
    this.#sessions.add(session);
    void session.done.then(() => this.#sessions.delete(session));
  }
}

function checkListen(listen: ConsoleListen): void {
  if ('path' in listen) return;
  // eslint-disable-next-line no-control-regex
  if (listen.password === '' || /[^\u0001-\u00ff]/.test(listen.password)) {
    throw new RepriseError(
      'INVALID_ARGUMENT',
      `A console on a port needs a password of Latin characters; the first ${VNC_PASSWORD_LENGTH} count. Give one, or use a unix socket.`,
    );
  }
}
