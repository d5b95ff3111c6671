import type { ByteReader } from './byte-reader.js';
import type { Framebuffer } from './framebuffer.js';
import {
  checkScreenSize,
  encoding,
  qemuMessage,
  qemuServerAudio,
  rfbLimits,
  serverMessage,
  violation,
} from './rfb-protocol.js';

/** What a message from the display was about. */
export type ServerEvent =
  | {
      readonly kind: 'update';
      /** Tiles that show something else than before. */
      readonly changedTiles: number;
      /** Pixels that were sent, changed or not. */
      readonly pixels: number;
      readonly resized: boolean;
      /** The display acknowledged QEMU's audio encoding. */
      readonly audio: boolean;
    }
  | { readonly kind: 'other' };

/** Reads one message of the display into `framebuffer`. Raw pixels go straight to their rows. */
export async function readServerMessage(
  reader: ByteReader,
  framebuffer: Framebuffer,
): Promise<ServerEvent> {
  const type = (await reader.read(1)).readUInt8(0);
  switch (type) {
    case serverMessage.framebufferUpdate:
      return readUpdate(reader, framebuffer);
    case serverMessage.setColourMapEntries: {
      const head = await reader.read(5);
      await reader.skip(6 * head.readUInt16BE(3));
      return { kind: 'other' };
    }
    case serverMessage.bell:
      return { kind: 'other' };
    case serverMessage.serverCutText: {
      const head = await reader.read(7);
      await reader.skip(
        bounded(Math.abs(head.readInt32BE(3)), rfbLimits.serverClipboardBytes, 'clipboard'),
      );
      return { kind: 'other' };
    }
    case serverMessage.qemu:
      return readQemuMessage(reader);
    default:
      throw violation(`The display sent a message of unknown type ${type}.`, { messageType: type });
  }
}

async function readUpdate(reader: ByteReader, framebuffer: Framebuffer): Promise<ServerEvent> {
  const rectangles = (await reader.read(3)).readUInt16BE(1);
  let resized = false;
  let audio = false;
  let pixels = 0;
  for (let i = 0; i < rectangles; i++) {
    const head = await reader.read(12);
    const [x, y] = [head.readUInt16BE(0), head.readUInt16BE(2)];
    const [width, height] = [head.readUInt16BE(4), head.readUInt16BE(6)];
    const kind = head.readInt32BE(8);
    switch (kind) {
      case encoding.raw:
        await readRaw(reader, framebuffer, x, y, width, height);
        pixels += width * height;
        break;
      case encoding.desktopSize:
        resized = setSize(framebuffer, width, height) || resized;
        break;
      case encoding.extendedDesktopSize: {
        const screens = (await reader.read(4)).readUInt8(0);
        await reader.skip(16 * screens);
        // y is the status of a request, x who made it; only a success carries a size that holds.
        if (y === 0) resized = setSize(framebuffer, width, height) || resized;
        break;
      }
      case encoding.qemuAudio:
        audio = true;
        break;
      case encoding.qemuExtendedKey:
        break;
      default:
        throw violation(`The display used encoding ${kind}, which was not asked for.`, {
          encoding: kind,
        });
    }
  }
  const changedTiles = framebuffer.commit();
  return { kind: 'update', changedTiles, pixels, resized, audio };
}

function setSize(framebuffer: Framebuffer, width: number, height: number): boolean {
  if (width === framebuffer.width && height === framebuffer.height) return false;
  checkScreenSize(width, height);
  framebuffer.resize(width, height);
  return true;
}

async function readRaw(
  reader: ByteReader,
  framebuffer: Framebuffer,
  x: number,
  y: number,
  width: number,
  height: number,
): Promise<void> {
  if (x + width > framebuffer.width || y + height > framebuffer.height) {
    throw violation('The display sent a rectangle that reaches beyond its screen.');
  }
  if (width === 0) return;
  for (let row = y; row < y + height; row++) {
    if (reader.available < 4 * width) await reader.need(4 * width);
    reader.takeInto(framebuffer.span(x, row, width));
  }
  framebuffer.touch(x, y, width, height);
}

async function readQemuMessage(reader: ByteReader): Promise<ServerEvent> {
  const subtype = (await reader.read(1)).readUInt8(0);
  if (subtype !== qemuMessage.audio)
    throw violation(`The display sent a QEMU message of unknown type 255/${subtype}.`);
  const operation = (await reader.read(2)).readUInt16BE(0);
  if (operation === qemuServerAudio.data) {
    await reader.skip(
      bounded((await reader.read(4)).readUInt32BE(0), rfbLimits.audioBytes, 'audio'),
    );
  } else if (operation !== qemuServerAudio.begin && operation !== qemuServerAudio.end) {
    throw violation(`The display sent an unknown QEMU audio operation, 255/1/${operation}.`);
  }
  return { kind: 'other' };
}

function bounded(length: number, limit: number, what: string): number {
  if (length > limit)
    throw violation(`The display sent ${what} data of ${length} bytes; ${limit} is the limit.`);
  return length;
}
