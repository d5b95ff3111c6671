import type { InputEvent, ScreenLayout } from '../input/input-event.js';

import {
  clientMessage,
  encodeSetEncodings,
  encoding,
  qemuClientAudio,
  qemuMessage,
  rfbLimits,
  violation,
} from './rfb-protocol.js';

/** One message of a viewer, judged: `pass` and `input` go on, `refuse` is dropped with a warning. */
export type ClientMessage =
  | { readonly route: 'pass'; readonly name: string; readonly bytes: Buffer }
  | {
      readonly route: 'input';
      readonly name: string;
      readonly bytes: Buffer;
      readonly event: InputEvent;
    }
  | { readonly route: 'refuse'; readonly name: string };

/**
 * Encodings that are taken out of a viewer's list because they would change what its messages mean (relative
 * pointer, extended buttons) or lead to messages that are refused.
 */
const withheldEncodings: ReadonlySet<number> = new Set([
  encoding.pointerTypeChange,
  encoding.extendedMouseButtons,
  encoding.xvp,
  encoding.fence,
  encoding.continuousUpdates,
]);

const FENCE_PAYLOAD_BYTES = 64;

/** Cuts a viewer's byte stream into messages; holds at most one partial message, 1 MiB. */
export class ClientMessageParser {
  #buffer = Buffer.alloc(512);
  #start = 0;
  #end = 0;

  push(chunk: Uint8Array): void {
    if (this.#end + chunk.length > this.#buffer.length) this.#makeRoom(chunk.length);
    this.#buffer.set(chunk, this.#end);
    this.#end += chunk.length;
  }

  /** The next whole message, or undefined until more is pushed. Throws RFB_VIOLATION on what is not known by name. */
  next(): ClientMessage | undefined {
    const pending = this.#buffer.subarray(this.#start, this.#end);
    const length = messageLength(pending);
    if (length === undefined || pending.length < length) return undefined;
    this.#start += length;
    // A copy: the buffer is reused while the message may still wait in a socket's queue.
    return judge(Buffer.from(pending.subarray(0, length)));
  }

  #makeRoom(extra: number): void {
    const held = this.#end - this.#start;
    const old = this.#buffer;
    const needed = held + extra;
    if (needed > old.length) this.#buffer = Buffer.alloc(Math.max(needed, 2 * old.length));
    this.#buffer.set(old.subarray(this.#start, this.#end), 0);
    this.#start = 0;
    this.#end = held;
  }
}

/** Whole length of the message that starts `bytes`; undefined while that cannot be told yet. */
function messageLength(bytes: Buffer): number | undefined {
  if (bytes.length === 0) return undefined;
  const type = bytes.readUInt8(0);
  switch (type) {
    case clientMessage.setPixelFormat:
      return 20;
    case clientMessage.setEncodings:
      return bytes.length < 4 ? undefined : 4 + 4 * bytes.readUInt16BE(2);
    case clientMessage.framebufferUpdateRequest:
    case clientMessage.enableContinuousUpdates:
      return 10;
    case clientMessage.keyEvent:
      return 8;
    case clientMessage.pointerEvent:
      return 6;
    case clientMessage.clientCutText:
      return bytes.length < 8 ? undefined : 8 + cutTextLength(bytes);
    case clientMessage.clientFence:
      return bytes.length < 9 ? undefined : 9 + fencePayload(bytes.readUInt8(8));
    case clientMessage.xvp:
      return 4;
    case clientMessage.setDesktopSize:
      return bytes.length < 8 ? undefined : 8 + 16 * bytes.readUInt8(6);
    case clientMessage.qemu:
      return qemuLength(bytes);
    default:
      throw violation(`A viewer sent a message of unknown type ${type}.`, { messageType: type });
  }
}

function cutTextLength(bytes: Buffer): number {
  const signed = bytes.readInt32BE(4);
  const length = Math.abs(signed);
  if (length > rfbLimits.clipboardBytes) {
    throw violation(`A viewer sent a ClientCutText of ${length} bytes; 1 MiB is the limit.`, {
      length,
    });
  }
  if (signed < 0 && length < 4)
    throw violation('A viewer sent an extended ClientCutText without its flags.');
  return length;
}

function fencePayload(length: number): number {
  if (length > FENCE_PAYLOAD_BYTES)
    throw violation(`A viewer sent a ClientFence of ${length} bytes; 64 is the limit.`);
  return length;
}

function qemuLength(bytes: Buffer): number | undefined {
  if (bytes.length < 2) return undefined;
  const subtype = bytes.readUInt8(1);
  switch (subtype) {
    case qemuMessage.extendedKey:
      return 12;
    case qemuMessage.audio:
      if (bytes.length < 4) return undefined;
      return qemuAudioLength(bytes.readUInt16BE(2));
    default:
      throw violation(`A viewer sent a QEMU message of unknown type 255/${subtype}.`, {
        messageType: 255,
        subtype,
      });
  }
}

function qemuAudioLength(operation: number): number {
  switch (operation) {
    case qemuClientAudio.enable:
    case qemuClientAudio.disable:
      return 4;
    case qemuClientAudio.setFormat:
      return 10;
    default:
      throw violation(`A viewer sent an unknown QEMU audio operation, 255/1/${operation}.`, {
        operation,
      });
  }
}

/** `bytes` is one whole message of a known type. */
function judge(bytes: Buffer): ClientMessage {
  const type = bytes.readUInt8(0);
  switch (type) {
    case clientMessage.setEncodings:
      return { route: 'pass', name: 'SetEncodings', bytes: withholdEncodings(bytes) };
    case clientMessage.setPixelFormat:
      return { route: 'pass', name: 'SetPixelFormat', bytes };
    case clientMessage.framebufferUpdateRequest:
      return { route: 'pass', name: 'FramebufferUpdateRequest', bytes };
    case clientMessage.enableContinuousUpdates:
      return { route: 'refuse', name: 'EnableContinuousUpdates' };
    case clientMessage.clientFence:
      return { route: 'refuse', name: 'ClientFence' };
    case clientMessage.xvp:
      return { route: 'refuse', name: 'xvp (power control)' };
    default:
      return inputMessage(type, bytes);
  }
}

function withholdEncodings(bytes: Buffer): Buffer {
  const kept: number[] = [];
  for (let at = 4; at < bytes.length; at += 4) {
    const value = bytes.readInt32BE(at);
    if (!withheldEncodings.has(value)) kept.push(value);
  }
  return encodeSetEncodings(kept);
}

function inputMessage(type: number, bytes: Buffer): ClientMessage {
  const input = (name: string, event: InputEvent): ClientMessage => ({
    route: 'input',
    name,
    bytes,
    event,
  });
  switch (type) {
    case clientMessage.keyEvent:
      return input('KeyEvent', {
        kind: 'key',
        down: bytes.readUInt8(1) !== 0,
        keysym: bytes.readUInt32BE(4),
      });
    case clientMessage.pointerEvent:
      return input('PointerEvent', {
        kind: 'pointer',
        buttons: bytes.readUInt8(1),
        x: bytes.readUInt16BE(2),
        y: bytes.readUInt16BE(4),
      });
    case clientMessage.clientCutText:
      return input('ClientCutText', {
        kind: 'clipboard',
        extended: bytes.readInt32BE(4) < 0,
        data: new Uint8Array(bytes.subarray(8)),
      });
    case clientMessage.setDesktopSize:
      return input('SetDesktopSize', {
        kind: 'resize',
        width: bytes.readUInt16BE(2),
        height: bytes.readUInt16BE(4),
        screens: readScreens(bytes),
      });
    case clientMessage.qemu:
      if (bytes.readUInt8(1) === qemuMessage.audio)
        return { route: 'pass', name: 'QEMU audio', bytes };
      return input('QEMU extended key event', {
        kind: 'extended-key',
        down: bytes.readUInt16BE(2) !== 0,
        keysym: bytes.readUInt32BE(4),
        keycode: bytes.readUInt32BE(8),
      });
    default:
      throw violation(`A viewer sent a message of unknown type ${type}.`, { messageType: type });
  }
}

function readScreens(bytes: Buffer): ScreenLayout[] {
  const screens: ScreenLayout[] = [];
  for (let at = 8; at < bytes.length; at += 16) {
    screens.push({
      id: bytes.readUInt32BE(at),
      x: bytes.readUInt16BE(at + 4),
      y: bytes.readUInt16BE(at + 6),
      width: bytes.readUInt16BE(at + 8),
      height: bytes.readUInt16BE(at + 10),
      flags: bytes.readUInt32BE(at + 12),
    });
  }
  return screens;
}

/** The RFB message that puts an event into a display. */
export function encodeInput(event: InputEvent): Buffer {
  switch (event.kind) {
    case 'key': {
      const bytes = Buffer.alloc(8);
      bytes.writeUInt8(clientMessage.keyEvent, 0);
      bytes.writeUInt8(event.down ? 1 : 0, 1);
      bytes.writeUInt32BE(event.keysym, 4);
      return bytes;
    }
    case 'extended-key': {
      const bytes = Buffer.alloc(12);
      bytes.writeUInt8(clientMessage.qemu, 0);
      bytes.writeUInt8(qemuMessage.extendedKey, 1);
      bytes.writeUInt16BE(event.down ? 1 : 0, 2);
      bytes.writeUInt32BE(event.keysym, 4);
      bytes.writeUInt32BE(event.keycode, 8);
      return bytes;
    }
    case 'pointer': {
      const bytes = Buffer.alloc(6);
      bytes.writeUInt8(clientMessage.pointerEvent, 0);
      bytes.writeUInt8(event.buttons, 1);
      bytes.writeUInt16BE(event.x, 2);
      bytes.writeUInt16BE(event.y, 4);
      return bytes;
    }
    case 'clipboard': {
      const head = Buffer.alloc(8);
      head.writeUInt8(clientMessage.clientCutText, 0);
      head.writeInt32BE(event.extended ? -event.data.length : event.data.length, 4);
      return Buffer.concat([head, event.data]);
    }
    case 'resize':
      return encodeResize(event.width, event.height, event.screens);
  }
}

function encodeResize(width: number, height: number, screens: readonly ScreenLayout[]): Buffer {
  const bytes = Buffer.alloc(8 + 16 * screens.length);
  bytes.writeUInt8(clientMessage.setDesktopSize, 0);
  bytes.writeUInt16BE(width, 2);
  bytes.writeUInt16BE(height, 4);
  bytes.writeUInt8(screens.length, 6);
  screens.forEach((screen, i) => {
    const at = 8 + 16 * i;
    bytes.writeUInt32BE(screen.id, at);
    bytes.writeUInt16BE(screen.x, at + 4);
    bytes.writeUInt16BE(screen.y, at + 6);
    bytes.writeUInt16BE(screen.width, at + 8);
    bytes.writeUInt16BE(screen.height, at + 10);
    bytes.writeUInt32BE(screen.flags, at + 12);
  });
  return bytes;
}
