import type { HandoffMessage, HandoffOutcome, HandoffState, Lease } from '../lease/index.js';
import type { Channel } from '../protocol/index.js';

type HandoffInput = Parameters<Lease['apply']>[1];

/** The handoff of one VM over one channel: feeds the lease, and sends what it says. */
export class HandoffExchange {
  readonly #lease: Lease;
  readonly #name: string;
  readonly #channel: Channel;

  constructor(lease: Lease, name: string, channel: Channel) {
    this.#lease = lease;
    this.#name = name;
    this.#channel = channel;
  }

  state(): Promise<HandoffState> {
    return this.#lease.state(this.#name);
  }

  /** What this host says when the two meet. Nothing is sent. */
  async contact(): Promise<HandoffMessage[]> {
    return spoken(await this.#apply({ type: 'contact', peer: this.#channel.peer.host }));
  }

  /** Takes what the other host said on contact; what is to be answered. Nothing is sent. */
  async hear(messages: readonly HandoffMessage[]): Promise<HandoffMessage[]> {
    const answers: HandoffMessage[] = [];
    for (const message of messages) {
      answers.push(...spoken(await this.#apply({ type: 'message', message })));
    }
    return answers;
  }

  /** Applies one input and sends what the lease says to it. */
  async apply(input: HandoffInput): Promise<HandoffOutcome> {
    const outcome = await this.#apply(input);
    await this.send(spoken(outcome));
    return outcome;
  }

  async send(messages: readonly HandoffMessage[]): Promise<void> {
    for (const message of messages) await this.#channel.send('handoff', message);
  }

  /** Waits for the other host's next word and answers it. */
  async next(): Promise<HandoffOutcome> {
    const { content } = await this.#channel.receive('handoff');
    return await this.apply({ type: 'message', message: content });
  }

  async #apply(input: HandoffInput): Promise<HandoffOutcome> {
    return await this.#lease.apply(this.#name, input);
  }
}

function spoken(outcome: HandoffOutcome): HandoffMessage[] {
  return outcome.messages.map(({ message }) => message);
}
