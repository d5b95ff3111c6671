import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { PassThrough } from 'node:stream';

import { RepriseError } from '../errors.js';

import { ByteReader } from './byte-reader.js';
import { Framebuffer } from './framebuffer.js';
import { clientHandshake, serverHandshake } from './rfb-handshake.js';
import { readServerMessage } from './server-messages.js';

const gone = new Error('the stream ended');

function readerOf(bytes: Uint8Array): ByteReader {
  const stream = new PassThrough();
  const reader = new ByteReader(stream, () => gone);
  stream.end(bytes);
  return reader;
}

async function codeOf(read: Promise<unknown>): Promise<string> {
  try {
    await read;
    return 'none';
  } catch (error) {
    if (error === gone) return 'ended';
    return error instanceof RepriseError ? error.code : String(error);
  }
}

const bytes = fc.uint8Array({ maxLength: 400 });

describe('a hostile peer', () => {
  test('as a display: arbitrary messages end in a violation or the end of the stream, within the screen', async () => {
    const kind = fc.constantFrom([0], [0, 0, 0, 1], [1], [3], [255, 1]);
    await fc.assert(
      fc.asyncProperty(kind, bytes, async (start, rest) => {
        const screen = new Framebuffer();
        screen.resize(40, 40);
        const reader = readerOf(Buffer.concat([Buffer.from(start), rest]));
        const code = await codeOf(
          (async () => {
            for (;;) await readServerMessage(reader, screen);
          })(),
        );
        expect(['RFB_VIOLATION', 'ended']).toContain(code);
      }),
    );
  });

  test('as a display: a rectangle beyond the screen and a giant screen are violations', async () => {
    const update = (x: number, width: number, height: number, kind: number): Buffer => {
      const message = Buffer.alloc(16);
      message.writeUInt16BE(1, 2);
      message.writeUInt16BE(x, 4);
      message.writeUInt16BE(width, 8);
      message.writeUInt16BE(height, 10);
      message.writeInt32BE(kind, 12);
      return message;
    };
    const screen = new Framebuffer();
    screen.resize(40, 40);
    for (const message of [
      update(39, 2, 1, 0),
      update(0, 65535, 65535, -223),
      update(0, 1, 1, 5),
    ]) {
      expect(await codeOf(readServerMessage(readerOf(message), screen))).toBe('RFB_VIOLATION');
    }
    expect([screen.width, screen.height]).toEqual([40, 40]);
  });

  test('in the handshake, either way: arbitrary bytes end in a coded error or the end of the stream', async () => {
    const version = fc.constantFrom('', 'RFB 003.008\n', 'RFB 003.003\n');
    const { signal } = new AbortController();
    await fc.assert(
      fc.asyncProperty(version, bytes, async (hello, rest) => {
        const all = Buffer.concat([Buffer.from(hello, 'latin1'), rest]);
        const known = [
          'none',
          'ended',
          'RFB_VIOLATION',
          'RFB_UNSUPPORTED',
          'RFB_AUTHENTICATION_FAILED',
        ];
        expect(known).toContain(
          await codeOf(clientHandshake(readerOf(all), new PassThrough(), 'pw')),
        );
        expect(known).toContain(
          await codeOf(serverHandshake(readerOf(all), new PassThrough(), undefined, signal)),
        );
      }),
    );
  });
});
