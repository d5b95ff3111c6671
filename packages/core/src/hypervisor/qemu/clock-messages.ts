import { RepriseError } from '../../errors.js';
import type {
  DeviceInput,
  TimedDeviceInput,
  VirtualClockStatus,
  VirtualMark,
} from '../virtual-clock.js';
import { inputLimits } from '../../input/input-event.js';

/** The control protocol of the plugin, as bytes: packages/qemu-vclock/docs/control-protocol.md. */

const VERSION = 2;
const LENGTH_BYTES = 4;
const HEAD_BYTES = 6;
export const MAX_MESSAGE_BYTES = 1 << 20;

export type Request =
  | { readonly type: 'status' }
  | { readonly type: 'now' }
  | {
      readonly type: 'record';
      readonly tickNs: number;
      readonly paced: boolean;
      /** Between two marks; 0: none. */
      readonly markEveryNs: number;
    }
  | { readonly type: 'input'; readonly input: DeviceInput }
  | { readonly type: 'append'; readonly events: readonly TimedDeviceInput[] }
  | { readonly type: 'replay'; readonly stopAtNs: number; readonly markEveryNs: number }
  | { readonly type: 'stop'; readonly atNs: number }
  | { readonly type: 'wait' }
  | { readonly type: 'mark' };

const requestType = {
  status: 1,
  now: 2,
  record: 3,
  input: 4,
  append: 5,
  replay: 6,
  stop: 7,
  wait: 8,
  mark: 9,
};
const replyType = { time: 0x80, status: 0x81, mark: 0x82, refusal: 0xff };
const inputKind = { key: 1, pointer: 2, frame: 3 };
const modes = ['idle', 'recording', 'replaying', 'stopped'] as const;

export type Reply =
  | { readonly type: 'time'; readonly id: number; readonly ns: bigint }
  | { readonly type: 'status'; readonly id: number; readonly status: VirtualClockStatus }
  | { readonly type: 'mark'; readonly id: number; readonly mark: VirtualMark }
  | {
      readonly type: 'refusal';
      readonly id: number;
      readonly fault: number;
      readonly text: string;
    };

/** A whole message, its length field included. */
export function encodeRequest(id: number, request: Request): Buffer {
  const body = encodeBody(request);
  const head = Buffer.alloc(LENGTH_BYTES + HEAD_BYTES);
  head.writeUInt32LE(HEAD_BYTES + body.length, 0);
  head.writeUInt8(VERSION, 4);
  head.writeUInt8(requestType[request.type], 5);
  head.writeUInt32LE(id, 6);
  return Buffer.concat([head, body]);
}

/** What an event takes in an `append`. */
export function appendedBytes({ input }: TimedDeviceInput): number {
  return 8 + encodeInput(input).length;
}

function encodeBody(request: Request): Buffer {
  switch (request.type) {
    case 'status':
    case 'now':
    case 'wait':
    case 'mark':
      return Buffer.alloc(0);
    case 'record':
      return Buffer.concat([
        int64(request.tickNs),
        Buffer.from([request.paced ? 1 : 0]),
        int64(request.markEveryNs),
      ]);
    case 'input':
      return encodeInput(request.input);
    case 'append': {
      const count = Buffer.alloc(4);
      count.writeUInt32LE(request.events.length);
      const events = request.events.map(({ atNs, input }) =>
        Buffer.concat([int64(atNs), encodeInput(input)]),
      );
      return Buffer.concat([count, ...events]);
    }
    case 'replay':
      return Buffer.concat([int64(request.stopAtNs), int64(request.markEveryNs)]);
    case 'stop':
      return int64(request.atNs);
  }
}

function encodeInput(input: DeviceInput): Buffer {
  switch (input.kind) {
    case 'key': {
      const out = Buffer.from([inputKind.key, 0, 0, 0, 0, input.down ? 1 : 0]);
      out.writeUInt32LE(input.number, 1);
      return out;
    }
    case 'pointer': {
      const out = Buffer.from([inputKind.pointer, 0, 0, 0, 0, input.buttons]);
      out.writeUInt16LE(input.x, 1);
      out.writeUInt16LE(input.y, 3);
      return out;
    }
    case 'frame': {
      const head = Buffer.from([inputKind.frame, 0, 0, 0, 0]);
      head.writeUInt32LE(input.bytes.length, 1);
      return Buffer.concat([head, input.bytes]);
    }
  }
}

function int64(value: number): Buffer {
  const out = Buffer.alloc(8);
  out.writeBigInt64LE(BigInt(value));
  return out;
}

/** Cuts the plugin's stream into replies. Holds at most one message and what was read beyond it. */
export class ReplyReader {
  #rest = Buffer.alloc(0);

  /** The replies that are whole now. Throws VIRTUAL_CLOCK_FAILED on anything that is none. */
  push(chunk: Buffer): Reply[] {
    this.#rest = Buffer.concat([this.#rest, chunk]);
    const replies: Reply[] = [];
    while (this.#rest.length >= LENGTH_BYTES) {
      const length = this.#rest.readUInt32LE(0);
      if (length < HEAD_BYTES || length > MAX_MESSAGE_BYTES) throw misread('an impossible length');
      if (this.#rest.length < LENGTH_BYTES + length) break;
      replies.push(decodeReply(this.#rest.subarray(LENGTH_BYTES, LENGTH_BYTES + length)));
      this.#rest = this.#rest.subarray(LENGTH_BYTES + length);
    }
    return replies;
  }
}

function decodeReply(message: Buffer): Reply {
  if (message.readUInt8(0) !== VERSION) throw misread('another version');
  const id = message.readUInt32LE(2);
  const body = message.subarray(HEAD_BYTES);
  switch (message.readUInt8(1)) {
    case replyType.time:
      return { type: 'time', id, ns: int64At(body, 0) };
    case replyType.status:
      return { type: 'status', id, status: decodeStatus(body) };
    case replyType.mark:
      return { type: 'mark', id, mark: decodeMark(body) };
    case replyType.refusal:
      if (body.length < 2) throw misread('a refusal without its reason');
      return { type: 'refusal', id, fault: body.readUInt16LE(0), text: body.toString('utf8', 2) };
    default:
      throw misread('a reply of an unknown type');
  }
}

function decodeStatus(body: Buffer): VirtualClockStatus {
  const mode = modes[body[0] ?? -1];
  if (mode === undefined) throw misread('an unknown state');
  const field = (index: number) => numberAt(body, 1 + 8 * index);
  return {
    mode,
    nowNs: int64At(body, 1),
    sessionNs: field(1),
    instructions: int64At(body, 1 + 8 * 2),
    lagNs: field(3),
    injected: field(4),
    waiting: field(5),
    latestNs: field(6),
    diskRequests: field(7),
    diskNs: field(8),
  };
}

const MARK_BYTES = 52;

function decodeMark(body: Buffer): VirtualMark {
  if (body.length < MARK_BYTES) throw misread('a mark that is too short');
  // Of a digest the log keeps the lower half: what is not equal differs in it.
  const digest = (offset: number) => body.readUInt32LE(offset);
  return {
    atNs: numberAt(body, 0),
    // Counted since the guest was switched on; a log has room for the lower bits.
    instructions: Number(int64At(body, 8) % BigInt(inputLimits.markInstructions)),
    diskRequests: numberAt(body, 16),
    disk: digest(24),
    input: digest(32),
    memory: digest(40),
    framesReceived: body.readUInt16LE(48),
    framesSent: body.readUInt16LE(50),
  };
}

/** The guest's clock goes on from session to session, for years; see `numberOf` for what begins with one. */
function int64At(body: Buffer, offset: number): bigint {
  if (body.length < offset + 8) throw misread('a reply that is too short');
  return body.readBigInt64LE(offset);
}

function numberAt(body: Buffer, offset: number): number {
  return numberOf(int64At(body, offset));
}

/** Nanoseconds of one session stay exact for a hundred days. Throws VIRTUAL_CLOCK_FAILED. */
export function numberOf(value: bigint): number {
  const number = Number(value);
  if (!Number.isSafeInteger(number)) throw misread('a time beyond all sessions');
  return number;
}

function misread(what: string): RepriseError {
  return new RepriseError(
    'VIRTUAL_CLOCK_FAILED',
    `The plugin in QEMU sent ${what}. Build the plugin and reprise from the same sources (npm run setup), then start the VM again.`,
  );
}
