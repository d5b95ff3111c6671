import { byteClasses, type ByteClass } from './messages.js';

export type BytesByClass = Readonly<Record<ByteClass, number>>;

/** Every byte that crossed the link, by class and direction, as one side saw it. */
export interface ByteTotals {
  readonly total: number;
  readonly sent: number;
  readonly received: number;
  readonly byClass: Readonly<
    Record<ByteClass, { readonly sent: number; readonly received: number }>
  >;
}

export class ByteAccount {
  readonly #sent = zeroes();
  readonly #received = zeroes();

  sent(byteClass: ByteClass, bytes: number): void {
    this.#sent[byteClass] += bytes;
  }

  received(byteClass: ByteClass, bytes: number): void {
    this.#received[byteClass] += bytes;
  }

  totals(): ByteTotals {
    const sum = (counts: BytesByClass) => byteClasses.reduce((all, c) => all + counts[c], 0);
    const sent = sum(this.#sent);
    const received = sum(this.#received);
    return {
      total: sent + received,
      sent,
      received,
      byClass: Object.fromEntries(
        byteClasses.map((c) => [c, { sent: this.#sent[c], received: this.#received[c] }]),
      ) as ByteTotals['byClass'],
    };
  }
}

function zeroes(): Record<ByteClass, number> {
  return { log: 0, digests: 0, ram: 0, disk: 0, device: 0, boot: 0, control: 0 };
}
