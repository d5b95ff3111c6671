/**
 * The blocks of a residue that may be shipped ahead, in the order to ship them: which are not out yet, and which of those
 * the replay is known to have produced.
 */
export class PendingBlocks {
  /** All that are not out, in their order; some that are out by now, until it is made again. */
  #order: readonly number[];
  readonly #pending: Set<number>;
  /** Part of those. */
  readonly #replayed = new Set<number>();
  readonly #count: number;

  constructor(order: readonly number[]) {
    this.#order = order;
    this.#pending = new Set(order);
    this.#count = order.length;
  }

  get positions(): {
    readonly shipped: number;
    readonly replayed: number;
    readonly blocks: number;
  } {
    const { size } = this.#pending;
    return { shipped: this.#count - size, replayed: this.#replayed.size, blocks: this.#count };
  }

  get isEmpty(): boolean {
    return this.#pending.size === 0;
  }

  has(block: number): boolean {
    return this.#pending.has(block);
  }

  shipped(block: number): void {
    this.#pending.delete(block);
    this.#replayed.delete(block);
  }

  /** What the replay wrote there, as far as it was told, is what is to be there; or is not. True: that is news, and good. */
  replayed(block: number, isEqual: boolean): boolean {
    if (!this.#pending.has(block)) return false;
    if (!isEqual) {
      this.#replayed.delete(block);
      return false;
    }
    const isNew = !this.#replayed.has(block);
    this.#replayed.add(block);
    return isNew;
  }

  /** What is neither out nor replayed, in order. */
  wanted(): number[] {
    this.#order = this.#order.filter((block) => this.#pending.has(block));
    return this.#order.filter((block) => !this.#replayed.has(block));
  }
}
