import type { RfbClient } from '../console/rfb-client.js';

import type { Anchor } from './input-event.js';

/**
 * Looks out for the screen that the next input waits for. A recording's screen may be older than the input before: of a fast
 * typist it shows what was there before the last letter came up, and a replay that looks later never finds that again.
 */
export class AwaitedScreen implements Disposable {
  readonly #client: RfbClient;
  readonly #unwatch: () => void;
  #anchor: Anchor | undefined;
  #seen = false;

  constructor(client: RfbClient) {
    this.#client = client;
    this.#unwatch = client.onChange(() => {
      this.#look();
    });
  }

  /** An input went in, and `anchor` belongs to the next. */
  expect(anchor: Anchor | undefined): void {
    this.#anchor = anchor;
    this.#seen = false;
    this.#look();
  }

  /**
   * It is there; or it was, at some time since the last input, and that is as long ago as it was in the recording.
   * @param isDue the recorded gap has passed
   */
  matches(anchor: Anchor, isDue: boolean): boolean {
    return this.#shows(anchor) || (isDue && this.#seen && anchor === this.#anchor);
  }

  [Symbol.dispose](): void {
    this.#unwatch();
  }

  #look(): void {
    this.#seen ||= this.#anchor !== undefined && this.#shows(this.#anchor);
  }

  #shows(anchor: Anchor): boolean {
    const { width, height } = this.#client;
    return (
      width === anchor.width &&
      height === anchor.height &&
      this.#client.digest(anchor.mask) === anchor.digest
    );
  }
}
