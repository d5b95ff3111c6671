import type { GuestProgress } from '../hypervisor/index.js';
import type { ReplayProgress } from '../input/index.js';
import type { Content } from '../protocol/index.js';

export interface ReplayHeartbeatOptions {
  /** Of the replayed guest, so far. */
  readonly guestProgress: () => Promise<GuestProgress>;
  readonly tell: (beat: Content<'replayProgress'>) => void;
  /** Default 2 s. */
  readonly everyMs?: number;
}

const EVERY_MS = 2_000;

/**
 * Tells, every so often, how far a replay is and what its guest did: an input may wait for its screen as long as a build takes, on
 * a busy host for several times that, and whoever waits for the replay has to tell that from one that hangs.
 */
export class ReplayHeartbeat implements Disposable {
  readonly #options: ReplayHeartbeatOptions;
  readonly #timer: NodeJS.Timeout;
  #progress: ReplayProgress;
  #first: GuestProgress | undefined;
  #beating = false;

  constructor(progress: ReplayProgress, options: ReplayHeartbeatOptions) {
    this.#options = options;
    this.#progress = progress;
    this.#timer = setInterval(() => void this.#beat(), options.everyMs ?? EVERY_MS);
    this.#timer.unref();
    void this.#beat();
  }

  /** For the beats from now on. */
  at(progress: ReplayProgress): void {
    this.#progress = progress;
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  /** A guest that cannot be asked has done nothing that is known of. */
  async #beat(): Promise<void> {
    if (this.#beating) return;
    this.#beating = true;
    const guest = await this.#options.guestProgress().catch(() => undefined);
    this.#beating = false;
    this.#first ??= guest;
    const { events, totalEvents, sessionMs, missesInARow, matchedMs } = this.#progress;
    this.#options.tell({
      ...{ events, eventsTotal: totalEvents, missesInARow },
      ...{ sessionMs: Math.round(sessionMs), matchedMs: Math.round(matchedMs) },
      ...(guest === undefined ? {} : sinceThen(guest, this.#first)),
    });
  }
}

function sinceThen(now: GuestProgress, first: GuestProgress | undefined) {
  const grown = (a: number, b = 0) => Math.max(0, Math.round(a - b));
  return {
    cpuMs: grown(now.cpuMs, first?.cpuMs),
    ...(now.starvedMs === undefined ? {} : { starvedMs: grown(now.starvedMs, first?.starvedMs) }),
  };
}
