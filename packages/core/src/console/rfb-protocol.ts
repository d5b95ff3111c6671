/** Numbers and fixed layouts of RFB 3.8 (RFC 6143 and its registry), and the parts both directions share. */
import { RepriseError } from '../errors.js';

export const clientMessage = {
  setPixelFormat: 0,
  setEncodings: 2,
  framebufferUpdateRequest: 3,
  keyEvent: 4,
  pointerEvent: 5,
  clientCutText: 6,
  enableContinuousUpdates: 150,
  clientFence: 248,
  xvp: 250,
  setDesktopSize: 251,
  qemu: 255,
} as const;

export const serverMessage = {
  framebufferUpdate: 0,
  setColourMapEntries: 1,
  bell: 2,
  serverCutText: 3,
  qemu: 255,
} as const;

/** Sub-messages of message type 255, both directions. */
export const qemuMessage = { extendedKey: 0, audio: 1 } as const;
export const qemuClientAudio = { enable: 0, disable: 1, setFormat: 2 } as const;
export const qemuServerAudio = { end: 0, begin: 1, data: 2 } as const;

export const encoding = {
  raw: 0,
  desktopSize: -223,
  pointerTypeChange: -257,
  qemuExtendedKey: -258,
  qemuAudio: -259,
  extendedDesktopSize: -308,
  xvp: -309,
  fence: -312,
  continuousUpdates: -313,
  extendedMouseButtons: -316,
  extendedClipboard: 0xc0a1e5ce | 0,
} as const;

export const securityType = { none: 1, vncAuthentication: 2 } as const;

export const rfbLimits = {
  side: 16_384,
  pixels: 8192 * 4320,
  nameBytes: 64 << 10,
  reasonBytes: 4096,
  clipboardBytes: 1 << 20,
  serverClipboardBytes: 16 << 20,
  audioBytes: 16 << 20,
} as const;

export interface PixelFormat {
  readonly bitsPerPixel: number;
  readonly depth: number;
  readonly bigEndian: boolean;
  readonly trueColour: boolean;
  readonly max: readonly [red: number, green: number, blue: number];
  readonly shift: readonly [red: number, green: number, blue: number];
}

/** Four bytes a pixel, B G R X in memory: what a Frame holds. */
export const bgrx: PixelFormat = {
  bitsPerPixel: 32,
  depth: 24,
  bigEndian: false,
  trueColour: true,
  max: [255, 255, 255],
  shift: [16, 8, 0],
};

export function encodePixelFormat(format: PixelFormat): Buffer {
  const bytes = Buffer.alloc(16);
  bytes.writeUInt8(format.bitsPerPixel, 0);
  bytes.writeUInt8(format.depth, 1);
  bytes.writeUInt8(format.bigEndian ? 1 : 0, 2);
  bytes.writeUInt8(format.trueColour ? 1 : 0, 3);
  format.max.forEach((value, i) => bytes.writeUInt16BE(value, 4 + 2 * i));
  format.shift.forEach((value, i) => bytes.writeUInt8(value, 10 + i));
  return bytes;
}

export function decodePixelFormat(bytes: Buffer): PixelFormat {
  return {
    bitsPerPixel: bytes.readUInt8(0),
    depth: bytes.readUInt8(1),
    bigEndian: bytes.readUInt8(2) !== 0,
    trueColour: bytes.readUInt8(3) !== 0,
    max: [bytes.readUInt16BE(4), bytes.readUInt16BE(6), bytes.readUInt16BE(8)],
    shift: [bytes.readUInt8(10), bytes.readUInt8(11), bytes.readUInt8(12)],
  };
}

export interface ServerInit {
  readonly width: number;
  readonly height: number;
  readonly format: PixelFormat;
  readonly name: string;
}

/** Bytes of a ServerInit before its name; the last four are the name's length. */
export const SERVER_INIT_HEAD = 24;

export function encodeServerInit(init: ServerInit): Buffer {
  const name = Buffer.from(init.name, 'utf8');
  const head = Buffer.alloc(SERVER_INIT_HEAD);
  head.writeUInt16BE(init.width, 0);
  head.writeUInt16BE(init.height, 2);
  encodePixelFormat(init.format).copy(head, 4);
  head.writeUInt32BE(name.length, 20);
  return Buffer.concat([head, name]);
}

export function decodeServerInit(bytes: Buffer): ServerInit {
  const width = bytes.readUInt16BE(0);
  const height = bytes.readUInt16BE(2);
  checkScreenSize(width, height);
  return {
    width,
    height,
    format: decodePixelFormat(bytes.subarray(4, 20)),
    name: bytes.toString('utf8', SERVER_INIT_HEAD),
  };
}

/** Refuses screens that would make this process allocate without bound. */
export function checkScreenSize(width: number, height: number): void {
  if (width > rfbLimits.side || height > rfbLimits.side || width * height > rfbLimits.pixels) {
    throw violation(
      `The display announced a screen of ${width} x ${height} pixels, more than is supported.`,
    );
  }
}

export function violation(what: string, context: Record<string, unknown> = {}): RepriseError {
  return new RepriseError(
    'RFB_VIOLATION',
    `${what} The connection was closed; connect again, and report the program at the other end if it recurs.`,
    { context },
  );
}

export function encodeSetPixelFormat(format: PixelFormat): Buffer {
  return Buffer.concat([
    Buffer.from([clientMessage.setPixelFormat, 0, 0, 0]),
    encodePixelFormat(format),
  ]);
}

export function encodeSetEncodings(encodings: readonly number[]): Buffer {
  const bytes = Buffer.alloc(4 + 4 * encodings.length);
  bytes.writeUInt8(clientMessage.setEncodings, 0);
  bytes.writeUInt16BE(encodings.length, 2);
  encodings.forEach((value, i) => bytes.writeInt32BE(value, 4 + 4 * i));
  return bytes;
}

export function encodeUpdateRequest(incremental: boolean, width: number, height: number): Buffer {
  const bytes = Buffer.alloc(10);
  bytes.writeUInt8(clientMessage.framebufferUpdateRequest, 0);
  bytes.writeUInt8(incremental ? 1 : 0, 1);
  bytes.writeUInt16BE(width, 6);
  bytes.writeUInt16BE(height, 8);
  return bytes;
}
