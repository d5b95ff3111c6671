import { PAGE_SIZE } from '@reprise/differ';

/** Shorter strings at a distance of megabytes cost zstd more to refer to than to write. */
const WINDOW = 16;
const MULTIPLIER = 0x01000193;
const SLOT_BITS = 24;

/** MULTIPLIER to the power of WINDOW: what a byte weighs when it leaves the window. */
const LEAVING = Array.from({ length: WINDOW }).reduce<number>(
  (power) => Math.imul(power, MULTIPLIER),
  1,
);

/**
 * How much a page shares with given content: every string of 16 bytes, at any position, counts the more the fewer pages
 * hold it. It tells which part of a large reference can matter to a compressor at all.
 *
 * Three passes, in this order: {@link addContent} with the content, then {@link countSharers} and {@link scoreOf} with every page
 * of the reference.
 */
export class Relevance {
  /** By slot: the whole hash of a string of the content, so that chance matches are rare. */
  readonly #wanted = new Uint32Array(1 << SLOT_BITS);
  readonly #sharers = new Uint32Array(1 << SLOT_BITS);
  readonly #lastPage = new Uint32Array(1 << SLOT_BITS);
  /** Of the page at hand: hashes of its strings, then the slots that count. */
  readonly #strings = new Uint32Array(PAGE_SIZE);
  #pages = 0;

  addContent(page: Uint8Array): void {
    const count = this.#hashStrings(page);
    for (let i = 0; i < count; i++) {
      const hash = this.#strings[i] ?? 0;
      this.#wanted[slotOf(hash)] = hash;
    }
  }

  countSharers(page: Uint8Array): void {
    const count = this.#sharedOf(page);
    for (let i = 0; i < count; i++) {
      const slot = this.#strings[i] ?? 0;
      this.#sharers[slot] = (this.#sharers[slot] ?? 0) + 1;
    }
  }

  /** 0 for a page that shares nothing. */
  scoreOf(page: Uint8Array): number {
    const count = this.#sharedOf(page);
    let score = 0;
    for (let i = 0; i < count; i++) score += 1 / (this.#sharers[this.#strings[i] ?? 0] ?? 1);
    return score;
  }

  /** Slots of this page's strings that the content has too, each once. */
  #sharedOf(page: Uint8Array): number {
    const count = this.#hashStrings(page);
    const mark = ++this.#pages;
    let kept = 0;
    for (let i = 0; i < count; i++) {
      const hash = this.#strings[i] ?? 0;
      const slot = slotOf(hash);
      if (this.#wanted[slot] !== hash || this.#lastPage[slot] === mark) continue;
      this.#lastPage[slot] = mark;
      this.#strings[kept++] = slot;
    }
    return kept;
  }

  /** Every string of the page but those of one repeated byte, which are everywhere. */
  #hashStrings(page: Uint8Array): number {
    let hash = 0;
    let repeated = 0;
    let count = 0;
    for (let i = 0; i < page.length; i++) {
      const byte = page[i] ?? 0;
      hash = (Math.imul(hash, MULTIPLIER) + byte + 1) | 0;
      if (i >= WINDOW) hash = (hash - Math.imul((page[i - WINDOW] ?? 0) + 1, LEAVING)) | 0;
      repeated = i > 0 && byte === page[i - 1] ? repeated + 1 : 0;
      if (i < WINDOW - 1 || repeated >= WINDOW - 1) continue;
      const mixed = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
      this.#strings[count++] = (mixed ^ (mixed >>> 12)) | 1; // 0 marks an empty slot
    }
    return count;
  }
}

function slotOf(hash: number): number {
  return hash >>> (32 - SLOT_BITS);
}
