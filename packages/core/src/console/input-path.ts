import { describeError, RepriseError } from '../errors.js';
import type { InputEvent } from '../input/input-event.js';
import { keyNumber } from './key-number.js';

import { HeldKeys, heldKey, releaseOf } from './held-keys.js';
import { type InputBacklog, InputFlow } from './input-flow.js';
import type { InputInjector } from './input-injector.js';
import type { InputRecorder } from './input-recorder.js';
import { isCharacter } from './keysym.js';
import type { RfbClient } from './rfb-client.js';

export interface InputPathOptions {
  /** The connection that carries keys and pointer events; undefined while the display is away. */
  readonly display: () => RfbClient | undefined;
  readonly recorder: InputRecorder | undefined;
  /** Present: keys and pointer events go to the guest through this, and are recorded when they are there. */
  readonly injector?: InputInjector | undefined;
  /** What the guest has not taken yet of what came through the display. */
  readonly inputBacklog?: InputBacklog | undefined;
  readonly starvedMs?: (() => Promise<number | undefined>) | undefined;
  readonly onWarning: (warning: RepriseError) => void;
}

/** Events on their way into a guest in virtual time; more make the viewers wait. */
const MOST_ON_THEIR_WAY = 256;
/** Inputs through the display that the guest was not seen to have taken, of all viewers together: its devices hold them. */
const WINDOW = 8;

/**
 * The one path of all viewers' input to the guest. Recording and writing happen in the same step, so the log's order is
 * the order in which the display got the bytes.
 */
export class InputPath {
  readonly #options: InputPathOptions;
  #keys = new HeldKeys();
  #buttons = 0;
  #pointer = { x: 0, y: 0 };
  #barrier: Promise<void> | undefined;
  #held = false;
  #dropped = 0;
  #recordingFailed = false;
  #screen = { width: 0, height: 0 };
  #onTheirWay = 0;
  /** Settles when everything injected so far is with the guest and in the log. */
  #injected: Promise<void> = Promise.resolve();
  readonly #untranslated = new Set<string>();
  readonly #flow: InputFlow;

  constructor(options: InputPathOptions) {
    this.#options = options;
    const backlog = options.inputBacklog ?? (() => Promise.resolve(undefined));
    this.#flow = new InputFlow({ backlog, starvedMs: options.starvedMs, window: WINDOW });
  }

  /**
   * Submits a viewer's event when no viewer is leaving, and display and guest take more. Resolves to what submit() says; rejects
   * when `signal` ends the wait.
   */
  async take(event: InputEvent, signal: AbortSignal, viaViewer?: () => void): Promise<boolean> {
    if (this.#onTheirWay >= MOST_ON_THEIR_WAY) await this.#injected;
    await this.#options.display()?.drained();
    for (;;) {
      while (this.#barrier !== undefined) await this.#barrier;
      // Never held up, or the guest would repeat a key that was only tapped. There is room: its press waited for that of both.
      if (this.#lifts(event)) return this.submit(event);
      const submitIfAdmitted = () =>
        this.#barrier === undefined ? { sent: this.submit(event, viaViewer) } : undefined;
      const step = this.#held
        ? submitIfAdmitted()
        : await this.#flow.pass(submitIfAdmitted, signal);
      if (step !== undefined) return step.sent;
    }
  }

  /**
   * Records and writes one event. `viaViewer` writes it to the viewer's own display connection instead (resize, clipboard). False: it was dropped because input is held
   * or the display is away.
   */
  submit(event: InputEvent, viaViewer?: () => void): boolean {
    const display = this.#options.display();
    if (this.#held || display?.open !== true) {
      if (this.#dropped++ === 0) this.#warnDropped();
      return false;
    }
    this.#screen = { width: display.width, height: display.height };
    if (this.#options.injector !== undefined) return this.#inject(this.#options.injector, event);
    if (isUntypable(event)) this.#warnUntypable();
    const lifts = this.#lifts(event);
    this.#record(event, display);
    this.#note(event);
    if (viaViewer === undefined) {
      display.send(event);
      if (!lifts) this.#flow.sent();
    } else {
      viaViewer();
    }
    return true;
  }

  /** The guest gets it at its next tick; the log, when the guest has it. */
  #inject(injector: InputInjector, viewed: InputEvent): boolean {
    const event = injector.translate(viewed, this.#screen);
    if (event === undefined) {
      this.#warnUntranslated(viewed);
      return false;
    }
    this.#note(viewed);
    this.#onTheirWay++;
    const arrived = injector.inject(event).then(
      (atMs) => {
        this.#recording(() => this.#options.recorder?.recordAt(event, atMs));
      },
      // What did not reach the guest is not in the log either: a replay is none the worse.
      (cause: unknown) => {
        this.#warnNotInjected(cause);
      },
    );
    this.#injected = Promise.all([this.#injected, arrived]).then(() => {
      this.#onTheirWay--;
    });
    return true;
  }

  #lifts(event: InputEvent): boolean {
    const isKey = event.kind === 'key' || event.kind === 'extended-key';
    return isKey && !event.down && this.#keys.has(heldKey(event));
  }

  #note(event: InputEvent): void {
    if (event.kind === 'pointer') {
      this.#buttons = event.buttons;
      this.#pointer = { x: event.x, y: event.y };
    } else if (event.kind === 'key' || event.kind === 'extended-key') {
      this.#keys.apply(event);
    }
  }

  /**
   * A viewer goes: everything pressed is released, and no input passes until `close` has ended its display connection, at
   * which QEMU lifts all keys of the display.
   */
  leave(close: () => Promise<void>): Promise<void> {
    return this.#exclusively(async () => {
      this.#releaseAll();
      await close();
    });
  }

  /** Releases everything pressed and drops input until admit(). */
  hold(): Promise<void> {
    return this.#exclusively(async () => {
      this.#releaseAll();
      this.#held = true;
      await this.#injected;
      await this.#options.display()?.drained();
    });
  }

  admit(): void {
    this.#held = false;
    this.#dropped = 0;
  }

  /** The display's connection ended, at which QEMU lifts all keys, and no button: the log says so too. */
  displayLost(display: RfbClient): void {
    const { injector } = this.#options;
    if (injector !== undefined) {
      // The guest's keys did not come through the display: nobody lifts them but this.
      for (const key of this.#keys.keys().reverse()) this.#inject(injector, releaseOf(key));
      if (this.#buttons !== 0) this.#inject(injector, this.#buttonsUp());
      return;
    }
    for (const key of this.#keys.keys().reverse()) this.#record(releaseOf(key), display);
    this.#keys = new HeldKeys();
  }

  /**
   * The display is back, and the guest still has the buttons down that it had. QEMU lifts only what it has seen go down on the same connection,
   * so they go down once more, which the guest does not notice.
   */
  displayBack(display: RfbClient): void {
    if (this.#options.injector !== undefined || this.#buttons === 0) return;
    for (const buttons of [this.#buttons, 0]) {
      const event: InputEvent = { kind: 'pointer', ...this.#pointer, buttons };
      this.#record(event, display);
      this.#note(event);
      display.send(event);
      this.#flow.sent();
    }
  }

  #exclusively(step: () => Promise<void>): Promise<void> {
    const before = this.#barrier ?? Promise.resolve();
    const barrier = before.then(step).finally(() => {
      if (this.#barrier === barrier) this.#barrier = undefined;
    });
    this.#barrier = barrier;
    return barrier;
  }

  #releaseAll(): void {
    for (const key of this.#keys.keys().reverse()) this.submit(releaseOf(key));
    if (this.#buttons !== 0) this.submit(this.#buttonsUp());
  }

  #buttonsUp(): InputEvent {
    return { kind: 'pointer', ...this.#pointer, buttons: 0 };
  }

  #record(event: InputEvent, display: RfbClient): void {
    this.#recording(() => this.#options.recorder?.record(event, display));
  }

  #recording(step: () => void): void {
    try {
      step();
    } catch (cause) {
      // The user keeps a working console; the log ends here, incomplete, and says so when it is read.
      if (this.#recordingFailed) return;
      this.#recordingFailed = true;
      this.#options.onWarning(
        new RepriseError(
          'INPUT_LOG_WRITE_FAILED',
          'Input is no longer recorded; the next migration ships instead of replaying. Check the space and the health of the disk that holds the store.',
          { cause },
        ),
      );
    }
  }

  /** Once a kind: what a guest in virtual time cannot have. */
  #warnUntranslated({ kind }: InputEvent): void {
    if (this.#untranslated.has(kind)) return;
    this.#untranslated.add(kind);
    const what =
      kind === 'key' || kind === 'extended-key'
        ? 'A key that has no place on a US keyboard'
        : `A viewer's ${kind}`;
    this.#options.onWarning(
      new RepriseError(
        'RFB_UNSUPPORTED',
        `${what} was not passed to the VM: its time is virtual, and a replay could not repeat it. Use a machine with the host's clock where that is needed.`,
        { context: { kind } },
      ),
    );
  }

  /** Once: QEMU finds no key for it, and the guest gets nothing. */
  #warnUntypable(): void {
    if (this.#untranslated.has('character')) return;
    this.#untranslated.add('character');
    this.#options.onWarning(
      new RepriseError(
        'RFB_UNSUPPORTED',
        'A viewer typed a sign that no key of a US keyboard sends, and the VM did not get it. Use a viewer that sends the positions of keys (QEMU extended key events), and set the keyboard layout inside the VM.',
      ),
    );
  }

  #warnNotInjected(cause: unknown): void {
    if (this.#dropped++ > 0) return;
    this.#options.onWarning(
      new RepriseError(
        'VIRTUAL_CLOCK_FAILED',
        `Input of a viewer did not reach the VM: ${describeError(cause)} Type it again.`,
        { cause },
      ),
    );
  }

  #warnDropped(): void {
    const why = this.#held ? 'the VM is paused or about to be' : 'the display is away';
    this.#options.onWarning(
      new RepriseError(
        'VM_NOT_RUNNING',
        `Input of a viewer was dropped: ${why}. Type it again later.`,
      ),
    );
  }
}

/** A sign that came without the place of its key, where a US keyboard has none for it. */
function isUntypable(event: InputEvent): boolean {
  if (event.kind !== 'key' || !event.down) return false;
  return isCharacter(event.keysym) && keyNumber(event.keysym) === undefined;
}
