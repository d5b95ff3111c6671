import type { DisplayAddress } from '../console/display-connection.js';
import { type InputBacklog, InputFlow } from '../console/input-flow.js';
import { RfbClient } from '../console/rfb-client.js';
import { describeError, RepriseError } from '../errors.js';

import { AwaitedScreen } from './awaited-screen.js';
import type { Anchor, InputEvent, InputLog } from './input-event.js';
import type { PacingDecision, PacingStep, PacingStrategy } from './pacing.js';
import { PressedInput } from './pressed-input.js';
import { type Activity, ProgressMeter } from './progress-meter.js';
import { Tempo } from './tempo.js';

export interface ReplayProgress {
  readonly events: number;
  readonly totalEvents: number;
  /** How far into the recorded session. */
  readonly sessionMs: number;
  readonly totalSessionMs: number;
  readonly anchorsMissed: number;
  /** Anchors missed since the last that was seen, and where in the session that was. */
  readonly missesInARow: number;
  readonly matchedMs: number;
}

export interface ReplayOptions {
  /**
   * The VM's display, or a client already connected to it, which stays the caller's. QEMU lifts pressed keys when a connection ends: a caller who
   * wants keys that the log leaves pressed to stay so gives a client, and closes it after the VM stopped.
   */
  readonly display: DisplayAddress | RfbClient;
  readonly log: InputLog;
  readonly pacing: PacingStrategy;
  readonly guestProgress: () => Promise<Activity>;
  /** What the guest has not taken yet. Without it, and where it cannot tell, inputs are only kept apart. */
  readonly inputBacklog?: InputBacklog;
  /** Ends the replay: everything pressed is released and the report says 'aborted'. */
  readonly signal: AbortSignal;
  readonly onProgress?: (progress: ReplayProgress) => void;
}

export interface MissedAnchor {
  /** The event that the anchor belongs to; the number of events for the session's end. */
  readonly index: number;
  /** In the recorded session. */
  readonly atMs: number;
  readonly reason: string;
}

export interface ReplayReport {
  /** `diverged`: everything went in, but from some point on no anchor was seen. */
  readonly outcome: 'complete' | 'diverged' | 'aborted' | 'display-lost';
  /** The name of the pacing strategy. */
  readonly pacing: string;
  /** Events that went in. */
  readonly events: number;
  /** Anchors that were reached, the final one included. */
  readonly anchors: number;
  readonly anchorsMissed: number;
  readonly missed: readonly MissedAnchor[];
  /** Whether the session's last screen came; absent where the log has none. */
  readonly endSeen?: boolean;
  /** How long the replay took. */
  readonly seconds: number;
  /** How long the recorded session was. */
  readonly sessionSeconds: number;
  /** Why the display was lost, or where the guest went another way. */
  readonly failure?: string;
}

const FIRST_SCREEN_MS = 5000;
/** How often the display is asked for the screen that an input waits for, and how long it may take to answer. */
const SCREEN_EVERY_MS = 300;
const SCREEN_TIMEOUT_MS = 2000;
/** A guest that works will change its screen again: no need to ask for it yet. */
const WORTH_A_LOOK_MS = 30;
/** Fewer that are missed to the end may be a clock or a number on the screen. */
const DIVERGED_MISSES = 3;
/** The strategy is asked again at least this often. */
const LONGEST_REST_MS = 60_000;

/** Puts a recorded session into a guest. Never throws for what the guest or the display does: the report tells. Throws when the display cannot be reached. */
export async function replayInput(options: ReplayOptions): Promise<ReplayReport> {
  const own = !(options.display instanceof RfbClient);
  const client =
    options.display instanceof RfbClient
      ? options.display
      : await RfbClient.connect(options.display, { signal: options.signal });
  try {
    return await new Replay(client, options).run();
  } finally {
    if (own) await client.close();
  }
}

class Replay {
  readonly #client: RfbClient;
  readonly #options: ReplayOptions;
  readonly #log: InputLog;
  readonly #meter: ProgressMeter;
  readonly #flow: InputFlow;
  readonly #pressed: PressedInput;
  readonly #missed: MissedAnchor[] = [];
  readonly #startedMs = performance.now();
  #lastInputMs = performance.now();
  #screenAskedMs = -Infinity;
  readonly #tempo: Tempo;
  #events = 0;
  #anchors = 0;
  #missesInARow = 0;
  #matchedMs = 0;
  readonly #screen: AwaitedScreen;
  #lastAnchorCpuMs = 0;
  #endSeen = false;

  constructor(client: RfbClient, options: ReplayOptions) {
    this.#client = client;
    this.#options = options;
    this.#log = options.log;
    this.#meter = new ProgressMeter(options.guestProgress, () => performance.now());
    // One at a time: the guest has taken an input before the next one comes.
    this.#flow = new InputFlow({
      backlog: options.inputBacklog ?? (() => Promise.resolve(undefined)),
      starvedMs: async () => (await options.guestProgress()).starvedMs,
      window: 1,
    });
    this.#pressed = new PressedInput(options.log, (...events) => {
      client.send(...events);
    });
    this.#tempo = new Tempo(options.log.header.buttons);
    this.#screen = new AwaitedScreen(client);
    this.#screen.expect(this.#nextAnchor(0));
  }

  async run(): Promise<ReplayReport> {
    using _looksOut = this.#screen;
    try {
      await this.#client.refresh({ timeoutMs: FIRST_SCREEN_MS, signal: this.#options.signal });
      await this.#meter.look();
      this.#lastInputMs = performance.now();
      await this.#replayEvents();
      await this.#replayEnd();
      return this.#missesInARow < DIVERGED_MISSES
        ? this.#report('complete')
        : { ...this.#report('diverged'), failure: this.#whereItDiverged() };
    } catch (error) {
      if (this.#options.signal.aborted) {
        if (this.#client.open) this.#pressed.releaseEverything();
        return this.#report('aborted');
      }
      if (
        error instanceof RepriseError &&
        (error.code === 'DISPLAY_LOST' || error.code === 'RFB_VIOLATION')
      ) {
        return { ...this.#report('display-lost'), failure: describeError(error) };
      }
      throw error;
    }
  }

  #whereItDiverged(): string {
    const seconds = (this.#matchedMs / 1000).toFixed(1);
    return `no recorded screen appeared after ${seconds} s of the session, ${String(this.#missesInARow)} in a row`;
  }

  async #replayEvents(): Promise<void> {
    let previousMs = 0;
    for (const [index, { atMs, event, anchor }] of this.#log.events.entries()) {
      const isReleased = this.#pressed.isReleased(event);
      if (anchor !== undefined || !isReleased) {
        await this.#pace({ index, atMs, gapMs: atMs - previousMs, event }, anchor);
        previousMs = atMs;
      }
      const inject = (): void => {
        this.#inject(index, event);
      };
      if (isReleased) inject();
      else await this.#flow.pass(inject, this.#options.signal);
      await this.#client.drained();
      this.#tell(atMs);
    }
  }

  /** The user watched the last screen for a while; so does the replay, up to the strategy's cap. */
  async #replayEnd(): Promise<void> {
    const { end, events } = this.#log;
    if (end === undefined) return;
    const gapMs = end.atMs - (events.at(-1)?.atMs ?? 0);
    await this.#pace({ index: events.length, atMs: end.atMs, gapMs, event: undefined }, end.anchor);
    this.#tell(end.atMs);
  }

  async #pace(
    next: { index: number; atMs: number; gapMs: number; event: InputEvent | undefined },
    anchor: Anchor | undefined,
  ): Promise<void> {
    const { index, atMs, gapMs, event } = next;
    const recordedCpuMs =
      anchor === undefined ? 0 : Math.max(0, anchor.cpuMs - this.#lastAnchorCpuMs);
    for (;;) {
      const step = {
        index,
        gapMs,
        anchored: anchor !== undefined,
        recordedCpuMs,
        holding: this.#pressed.isHolding,
        tempo: this.#tempo.matters(event),
      };
      const since = this.#client.changes;
      const decision = await this.#decide(step, anchor);
      if (decision.action !== 'wait') {
        if (anchor !== undefined) this.#passAnchor(index, atMs, anchor, decision);
        return;
      }
      if (anchor !== undefined && this.#sinceInputMs() >= gapMs) this.#pressed.releaseRepeating();
      await this.#rest(decision.atMostMs, anchor, since);
    }
  }

  async #decide(step: PacingStep, anchor: Anchor | undefined): Promise<PacingDecision> {
    this.#options.signal.throwIfAborted();
    const { starvedSinceInputMs, ...progress } = await this.#meter.look();
    if (anchor !== undefined) await this.#askForScreen(progress.cpuIdleMs);
    return this.#options.pacing.decide(step, {
      ...progress,
      sinceInputMs: Math.max(0, this.#sinceInputMs() - starvedSinceInputMs),
      screenMatches:
        anchor !== undefined && this.#screen.matches(anchor, this.#sinceInputMs() >= step.gapMs),
      screenQuietMs: this.#client.quietMs,
      misses: this.#missesInARow,
    });
  }

  /** What the display told last may be older than the last input; an idle one tells by itself only now and then. */
  async #askForScreen(cpuIdleMs: number | undefined): Promise<void> {
    if (cpuIdleMs !== undefined && cpuIdleMs < WORTH_A_LOOK_MS) return;
    const now = performance.now();
    const isFresh = this.#screenAskedMs >= this.#lastInputMs;
    if (isFresh && now - this.#screenAskedMs < SCREEN_EVERY_MS) return;
    this.#screenAskedMs = now;
    const { signal } = this.#options;
    await this.#client.refresh({ timeoutMs: SCREEN_TIMEOUT_MS, signal });
  }

  /** Without an anchor the screen does not matter: sleep. With one, a change is worth a look. */
  async #rest(atMostMs: number, anchor: Anchor | undefined, since: number): Promise<void> {
    const wait = {
      timeoutMs: Math.min(Math.ceil(atMostMs), LONGEST_REST_MS),
      signal: this.#options.signal,
    };
    if (anchor === undefined) await this.#client.waitForChange({ ...wait, since: Infinity });
    else await this.#client.waitForChange({ ...wait, since });
  }

  /** Of the input that comes after what goes in before it without a wait. */
  #nextAnchor(index: number): Anchor | undefined {
    const { events, end } = this.#log;
    let next = events[index];
    for (let i = index; next !== undefined && this.#pressed.isReleased(next.event);)
      next = events[++i];
    return next === undefined ? end?.anchor : next.anchor;
  }

  #passAnchor(index: number, atMs: number, anchor: Anchor, decision: PacingDecision): void {
    this.#anchors++;
    this.#lastAnchorCpuMs = anchor.cpuMs;
    this.#meter.anchorPassed();
    if (decision.action === 'miss') {
      this.#missed.push({ index, atMs, reason: decision.reason });
      this.#missesInARow++;
    } else {
      this.#missesInARow = 0;
      this.#matchedMs = atMs;
      if (index === this.#log.events.length) this.#endSeen = true;
    }
  }

  #inject(index: number, event: InputEvent): void {
    this.#events++;
    if (!this.#pressed.put(index, event)) return;
    this.#lastInputMs = performance.now();
    this.#meter.inputPassed();
    this.#tempo.passed(event);
    this.#flow.sent();
    this.#screen.expect(this.#nextAnchor(index + 1));
  }

  #sinceInputMs(): number {
    return performance.now() - this.#lastInputMs;
  }

  #sessionMs(): number {
    return this.#log.end?.atMs ?? this.#log.events.at(-1)?.atMs ?? 0;
  }

  #tell(sessionMs: number): void {
    this.#options.onProgress?.({
      events: this.#events,
      totalEvents: this.#log.events.length,
      sessionMs,
      totalSessionMs: this.#sessionMs(),
      anchorsMissed: this.#missed.length,
      missesInARow: this.#missesInARow,
      matchedMs: this.#matchedMs,
    });
  }

  #report(outcome: ReplayReport['outcome']): ReplayReport {
    return {
      outcome,
      pacing: this.#options.pacing.name,
      events: this.#events,
      anchors: this.#anchors,
      anchorsMissed: this.#missed.length,
      missed: this.#missed,
      ...(this.#log.end?.anchor === undefined ? {} : { endSeen: this.#endSeen }),
      seconds: (performance.now() - this.#startedMs) / 1000,
      sessionSeconds: this.#sessionMs() / 1000,
    };
  }
}
