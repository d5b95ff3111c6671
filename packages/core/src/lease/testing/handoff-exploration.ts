import { ABSENT, type HandoffMessage, type HandoffState } from '../handoff-state.js';
import type { HandoffInput, Step } from '../handoff-step.js';
import { step } from '../handoff-table.js';

/**
 * Exhaustive exploration of hosts that hand one VM back and forth: the model checker of the handoff's tests.
 *
 * The network is the set of all messages ever said: any of them may arrive at any time, any number of times, or never. That is loss,
 * doubling, delay and overtaking at once. A crash keeps what was journaled and forgets the rest, which here is
 * whether the VM ran; what a crash kept from being sent is a message that never arrives.
 */

export type Transition = typeof step;

export const uuid = (n: number) => `00000000-0000-4000-8000-${n.toString(16).padStart(12, '0')}`;
export const LINEAGE = uuid(100);
const supervisor = { pid: 1, startTicks: '1', bootId: uuid(0) };

export interface World {
  readonly states: readonly HandoffState[];
  /** Numbers of the messages said so far, ascending. */
  readonly said: readonly number[];
  readonly begun: number;
  readonly forced: number;
}

export interface Bounds {
  readonly hosts: number;
  readonly migrations: number;
  /** How often an operator may override. */
  readonly forces: number;
}

export class Exploration {
  readonly #bounds: Bounds;
  readonly #transition: Transition;
  readonly #hosts: readonly string[];
  /** Every state is one object, so that states compare by identity and their numbers make short keys. */
  readonly #states = new Map<string, HandoffState>();
  readonly #stateNumbers = new Map<HandoffState, number>();
  readonly #messages: { to: number; message: HandoffMessage }[] = [];
  readonly #messageNumbers = new Map<string, number>();
  readonly #steps = new Map<string, Outcome>();
  readonly #settled = new Map<string, readonly HandoffState[]>();

  constructor(bounds: Bounds, transition: Transition = step) {
    this.#bounds = bounds;
    this.#transition = transition;
    this.#hosts = Array.from({ length: bounds.hosts }, (_, i) => uuid(i + 1));
  }

  /** Visits every world that can be reached, each once; returns how many there are. */
  run(check: (world: World) => void): number {
    const seeded = { type: 'seeded', lineage: LINEAGE, ancestors: [], token: 1 } as const;
    const start: World = {
      states: this.#hosts.map((host, i) =>
        this.#intern(
          this.#transition(host, ABSENT, i === 0 ? { type: 'import', lineage: LINEAGE } : seeded)
            .state,
        ),
      ),
      said: [],
      begun: 0,
      forced: 0,
    };
    const seen = new Set([this.#key(start)]);
    const queue = [start];
    for (let world = queue.pop(); world !== undefined; world = queue.pop()) {
      check(world);
      for (const next of this.#successors(world)) {
        const key = this.#key(next);
        if (seen.has(key)) continue;
        seen.add(key);
        queue.push(next);
      }
    }
    return seen.size;
  }

  /** The states once all can talk, every message arrives, and nothing new is said. */
  settle(world: World): readonly HandoffState[] {
    const key = this.#statesKey(world.states);
    const known = this.#settled.get(key);
    if (known !== undefined) return known;
    let states = world.states;
    for (let round = 0; round < 20; round++) {
      const before = this.#statesKey(states);
      for (const [host] of this.#hosts.entries()) {
        for (const [other, peer] of this.#hosts.entries()) {
          if (other !== host) states = this.#converse(states, host, { type: 'contact', peer });
        }
      }
      if (this.#statesKey(states) === before) {
        this.#settled.set(key, states);
        return states;
      }
    }
    throw new Error(`the hosts never settle: ${JSON.stringify(world.states)}`);
  }

  #converse(start: readonly HandoffState[], host: number, input: HandoffInput) {
    let states = start;
    const pending = [{ to: host, input }];
    for (let n = 0; n < 100; n++) {
      const item = pending.shift();
      if (item === undefined) return states;
      const outcome = this.#step(states, item.to, item.input);
      states = replace(states, item.to, outcome.state);
      for (const number of outcome.said) {
        const said = this.#message(number);
        pending.push({ to: said.to, input: { type: 'message', message: said.message } });
      }
    }
    throw new Error(`the hosts never stop answering each other: ${JSON.stringify(start)}`);
  }

  *#successors(world: World): Iterable<World> {
    for (const [host, state] of world.states.entries()) {
      for (const input of this.#localInputs(world, host)) {
        const next = this.#apply(world, host, input);
        if (next === undefined) continue;
        yield {
          ...next,
          begun: next.begun + (input.type === 'begin' ? 1 : 0),
          forced: next.forced + (input.type === 'force' ? 1 : 0),
        };
      }
      if (state.kind === 'holds' && state.running !== null) {
        const crashed = this.#intern({ ...state, running: null });
        yield { ...world, states: replace(world.states, host, crashed) };
      }
    }
    for (const number of world.said) {
      const { to, message } = this.#message(number);
      const next = this.#apply(world, to, { type: 'message', message });
      if (next !== undefined) yield next;
    }
  }

  /** Everything that a person or a pipeline may do at this host, sensible or not. */
  *#localInputs(world: World, host: number): Iterable<HandoffInput> {
    yield { type: 'start', process: supervisor };
    yield { type: 'stop' };
    yield { type: 'cancel' };
    for (const [other, peer] of this.#hosts.entries()) {
      if (other === host) continue;
      yield { type: 'contact', peer };
      if (world.begun < this.#bounds.migrations) {
        const root = 'abcdef'.charAt(world.begun).repeat(64);
        yield { type: 'begin', migration: uuid(200 + world.begun), root, peer };
      }
    }
    // The pipeline may prove whatever it was ever offered, however long ago.
    for (const number of world.said) {
      const { to, message } = this.#message(number);
      if (to !== host || message.type !== 'offer') continue;
      const { migration, root, token, lineage, ancestors } = message;
      yield { type: 'proved', migration, root, token, lineage, ancestors, peer: message.host };
    }
    if (world.forced < this.#bounds.forces) {
      const lineage = uuid(101 + world.forced);
      yield { type: 'force', lineage, at: '2026-01-01T00:00:00Z', reason: 'the other burnt' };
    }
    if (world.forced > 0) {
      for (const other of world.states) {
        if (other.kind === 'absent' || other === world.states[host]) continue;
        const { lineage, ancestors, token } = other;
        yield { type: 'concede', lineage, ancestors, token };
      }
    }
  }

  /** Undefined: nothing changed and nothing new was said. */
  #apply(world: World, host: number, input: HandoffInput): World | undefined {
    const outcome = this.#step(world.states, host, input);
    const news = outcome.said.filter((number) => !world.said.includes(number));
    if (outcome.state === world.states[host] && news.length === 0) return undefined;
    return {
      ...world,
      states: replace(world.states, host, outcome.state),
      said: news.length === 0 ? world.said : [...world.said, ...news].sort((a, b) => a - b),
    };
  }

  #step(states: readonly HandoffState[], host: number, input: HandoffInput): Outcome {
    const state = states[host] ?? ABSENT;
    const key = `${host} ${this.#number(state)} ${JSON.stringify(input)}`;
    let outcome = this.#steps.get(key);
    if (outcome === undefined) {
      const result = this.#transition(this.#hosts[host] ?? '', state, input);
      requireDurable(state, result);
      outcome = {
        state: this.#intern(result.state),
        said: result.effects.flatMap((effect) =>
          effect.kind === 'send' ? [this.#say(effect.to, effect.message)] : [],
        ),
      };
      this.#steps.set(key, outcome);
    }
    return outcome;
  }

  #say(to: string, message: HandoffMessage): number {
    const name = `${to} ${JSON.stringify(message)}`;
    let number = this.#messageNumbers.get(name);
    if (number === undefined) {
      number = this.#messages.push({ to: this.#hosts.indexOf(to), message }) - 1;
      this.#messageNumbers.set(name, number);
    }
    return number;
  }

  #message(number: number): { to: number; message: HandoffMessage } {
    const said = this.#messages[number];
    if (said === undefined) throw new Error('no such message');
    return said;
  }

  #intern(state: HandoffState): HandoffState {
    const name = JSON.stringify(state);
    const known = this.#states.get(name);
    if (known !== undefined) return known;
    this.#states.set(name, state);
    this.#stateNumbers.set(state, this.#stateNumbers.size);
    return state;
  }

  #number(state: HandoffState): number {
    return this.#stateNumbers.get(this.#intern(state)) ?? -1;
  }

  #statesKey(states: readonly HandoffState[]): string {
    return states.map((state) => this.#number(state)).join(',');
  }

  #key(world: World): string {
    return `${this.#statesKey(world.states)}|${world.said.join(',')}|${world.begun}|${world.forced}`;
  }
}

interface Outcome {
  readonly state: HandoffState;
  readonly said: readonly number[];
}

/** Nothing may count that was not journaled, and nothing may be said before. */
function requireDurable(before: HandoffState, result: Step): void {
  let durable = before;
  for (const effect of result.effects) {
    if (effect.kind === 'journal') durable = effect.state;
    if (effect.kind === 'send' && JSON.stringify(durable) !== JSON.stringify(result.state)) {
      throw new Error(`said before it was journaled: ${effect.message.type}`);
    }
  }
  if (JSON.stringify(durable) !== JSON.stringify(result.state)) {
    throw new Error(`a state that is not on disk: ${result.state.kind}`);
  }
}

function replace(states: readonly HandoffState[], host: number, state: HandoffState) {
  return states.map((old, i) => (i === host ? state : old));
}
