import { parseDns } from './dns.js';
import { flowLimits, type FlowLedger, type FlowRecord } from './flow-record.js';
import type { Direction } from './network-service.js';
import { httpMethod, OPENING_BYTES, readOpening, type Opening } from './opening.js';
import { isUnicast, parsePacket, type Packet } from './packet.js';

const DNS_PORT = 53;
const DHCP_PORT = 67;
/** After a pause of this length, what goes out next is something new. */
const BURST_PAUSE_MS = 1000;
/** A UDP conversation that rests for this long is over. */
const UDP_IDLE_MS = 60_000;
/** Names of addresses that are remembered; the oldest goes first. */
const MAX_NAMES = 4096;
const MAX_GAPS = 16;

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

interface Flow {
  readonly record: Mutable<Omit<FlowRecord, 'bursts'>> & { bursts: FlowRecord['bursts'] };
  readonly sequence: number;
  /** What the client said first, until it is understood. */
  opening: Buffer | undefined;
  lastOutMs: number;
}

/**
 * Turns frames into conversations. Everything in it is bounded, whatever the guest sends: see `flowLimits`.
 * Frames are only read, never kept.
 */
export class FlowTable {
  readonly #now: () => number;
  /** Listed conversations in their order; the current one under each key. */
  readonly #listed: Flow[] = [];
  readonly #current = new Map<string, Flow>();
  readonly #names = new Map<string, string>();
  readonly #unlisted = { flows: 0, bytesOut: 0 };
  readonly #gaps: string[] = [];

  /** `now`: milliseconds of the session, or of the replay. */
  constructor(now: () => number) {
    this.#now = now;
  }

  observe(frame: Uint8Array, direction: Direction): void {
    const packet = parsePacket(frame);
    if (packet === undefined) return;
    if (direction === 'out') this.#out(packet);
    else this.#in(packet);
  }

  /** Something may have passed that was not seen. */
  gap(reason: string): void {
    if (this.#gaps.length < MAX_GAPS) this.#gaps.push(reason.slice(0, 300));
  }

  ledger(): FlowLedger {
    return {
      version: 1,
      flows: this.#listed.map(({ record }) => ({ ...record, bursts: [...record.bursts] })),
      unlisted: { ...this.#unlisted },
      gaps: [...this.#gaps],
    };
  }

  #out(packet: Packet): void {
    if (!isUnicast(packet.destination) || isDhcp(packet)) return;
    const flow = this.#flowOf(packet);
    if (flow === undefined) return;
    const { record } = flow;
    record.endMs = this.#now();
    if (packet.payload.length === 0) return;
    record.bytesOut += packet.payload.length;
    const method = packet.protocol === 'tcp' ? httpMethod(packet.payload) : undefined;
    this.#addToBurst(flow, packet.payload.length, method);
    if (packet.protocol === 'tcp') understand(flow, packet.payload);
  }

  #in(packet: Packet): void {
    if (packet.protocol === 'udp' && packet.sourcePort === DNS_PORT) this.#learn(packet);
    const flow = this.#current.get(keyOf(packet, 'in'));
    if (flow === undefined) return;
    flow.record.endMs = this.#now();
    flow.record.bytesIn += packet.payload.length;
  }

  /** The conversation that a packet of the guest's belongs to; undefined when it is only counted. */
  #flowOf(packet: Packet): Flow | undefined {
    const key = keyOf(packet, 'out');
    const known = this.#current.get(key);
    if (known !== undefined && !this.#startsAnew(known, packet)) return known;
    if (this.#listed.length >= flowLimits.flows) {
      // A SYN for each TCP conversation; of others, each packet.
      if (packet.tcp?.syn !== false) this.#unlisted.flows++;
      this.#unlisted.bytesOut += packet.payload.length;
      return undefined;
    }
    const flow = this.#newFlow(packet);
    this.#listed.push(flow);
    this.#current.set(key, flow);
    return flow;
  }

  #startsAnew(flow: Flow, { protocol, tcp }: Packet): boolean {
    if (protocol === 'tcp') return tcp?.syn === true && tcp.sequence !== flow.sequence;
    return this.#now() - flow.record.endMs > UDP_IDLE_MS;
  }

  #newFlow(packet: Packet): Flow {
    const { protocol, destination, destinationPort } = packet;
    const question = questionOf(packet);
    const name = question ?? this.#names.get(destination);
    const now = this.#now();
    return {
      record: {
        ...{ protocol, address: destination, port: destinationPort },
        ...(name === undefined ? {} : { name }),
        ...(question === undefined ? {} : { application: 'dns' as const }),
        ...{ startMs: now, endMs: now, bytesOut: 0, bytesIn: 0, bursts: [] },
      },
      sequence: packet.tcp?.sequence ?? 0,
      opening: protocol === 'tcp' ? Buffer.alloc(0) : undefined,
      lastOutMs: -Infinity,
    };
  }

  #addToBurst(flow: Flow, bytes: number, method: string | undefined): void {
    const { bursts } = flow.record;
    const now = this.#now();
    const last = bursts.at(-1);
    const isNew =
      last === undefined || method !== undefined || now - flow.lastOutMs >= BURST_PAUSE_MS;
    flow.lastOutMs = now;
    if (last !== undefined && (!isNew || bursts.length >= flowLimits.bursts)) last.bytes += bytes;
    else bursts.push({ atMs: now, bytes, ...(method === undefined ? {} : { method }) });
  }

  #learn({ payload }: Packet): void {
    const message = parseDns(payload);
    if (message?.isAnswer !== true) return;
    for (const address of message.addresses) {
      this.#names.delete(address);
      this.#names.set(address, message.question);
      const oldest = this.#names.keys().next().value;
      if (this.#names.size > MAX_NAMES && oldest !== undefined) this.#names.delete(oldest);
    }
  }
}

function understand(flow: Flow, payload: Uint8Array): void {
  if (flow.opening === undefined) return;
  const room = OPENING_BYTES - flow.opening.length;
  flow.opening = Buffer.concat([flow.opening, payload.subarray(0, room)]);
  const opening: Opening | undefined = readOpening(flow.opening);
  if (opening === undefined) return;
  flow.opening = undefined;
  flow.record.application = opening.application;
  if (opening.name !== undefined) flow.record.name = opening.name;
}

function isDhcp({ protocol, destinationPort }: Packet): boolean {
  return protocol === 'udp' && destinationPort === DHCP_PORT;
}

function questionOf({ protocol, destinationPort, payload }: Packet): string | undefined {
  if (protocol !== 'udp' || destinationPort !== DNS_PORT) return undefined;
  return parseDns(payload)?.question;
}

/** A TCP conversation by its four ends; of others, one for each destination, and for each name that is asked for. */
function keyOf(packet: Packet, direction: Direction): string {
  const { protocol } = packet;
  const [peer, peerPort, ownPort] =
    direction === 'out'
      ? [packet.destination, packet.destinationPort, packet.sourcePort]
      : [packet.source, packet.sourcePort, packet.destinationPort];
  if (protocol === 'tcp') return ['tcp', peer, peerPort, ownPort].join('|');
  const asked =
    protocol === 'udp' && peerPort === DNS_PORT ? (parseDns(packet.payload)?.question ?? '') : '';
  return [protocol, peer, peerPort, asked].join('|');
}
