import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import { RepriseError } from '../errors.js';
import { anyEvent } from '../input/testing/arbitraries.js';

import { type ClientMessage, ClientMessageParser, encodeInput } from './client-messages.js';
import { encodeSetEncodings, encoding } from './rfb-protocol.js';

function parse(...chunks: Uint8Array[]): ClientMessage[] {
  const parser = new ClientMessageParser();
  const messages: ClientMessage[] = [];
  for (const chunk of chunks) {
    parser.push(chunk);
    for (let message = parser.next(); message !== undefined; message = parser.next())
      messages.push(message);
  }
  return messages;
}

describe('messages of a viewer', () => {
  test('every input comes out as it went in, however the stream is cut', () => {
    const cuts = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(fc.array(anyEvent, { maxLength: 30 }), cuts, (events, sizes) => {
        const stream = Buffer.concat(events.map(encodeInput));
        const chunks: Buffer[] = [];
        for (let at = 0; at < stream.length;) {
          const size = sizes[chunks.length % sizes.length] ?? 1;
          chunks.push(stream.subarray(at, at + size));
          at += size;
        }
        const got = parse(...chunks).map((message) =>
          message.route === 'input' ? message.event : undefined,
        );
        expect(got).toEqual(events);
      }),
    );
  });

  test('arbitrary bytes end in messages, in waiting, or in a coded error', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 10 }), (chunks) => {
        try {
          parse(...chunks);
        } catch (error) {
          expect(error).toBeInstanceOf(RepriseError);
          expect((error as RepriseError).code).toBe('RFB_VIOLATION');
        }
      }),
    );
  });

  test('an unknown type is named', () => {
    expect(() => parse(Buffer.from([77]))).toThrow(/unknown type 77/);
    expect(() => parse(Buffer.from([255, 9]))).toThrow(/unknown type 255\/9/);
  });

  test('a clipboard of more than 1 MiB is refused before it is buffered', () => {
    expect(() => parse(Buffer.from([6, 0, 0, 0, 0, 0x10, 0, 1]))).toThrow(/1 MiB/);
    expect(() => parse(Buffer.from([6, 0, 0, 0, 0xff, 0xe0, 0, 0]))).toThrow(/1 MiB/);
  });

  test('encodings that change what input means are withheld, the others pass in their order', () => {
    const [message] = parse(
      encodeSetEncodings([
        16,
        encoding.pointerTypeChange,
        7,
        encoding.xvp,
        -258,
        encoding.fence,
        0,
      ]),
    );
    expect(
      message?.route === 'pass' && message.bytes.equals(encodeSetEncodings([16, 7, -258, 0])),
    ).toBe(true);
  });

  test('power control, fences and continuous updates are refused by name', () => {
    const xvp = Buffer.from([250, 0, 1, 2]);
    const fence = Buffer.from([248, 0, 0, 0, 0, 0, 0, 0, 1, 42]);
    const continuous = Buffer.from([150, 1, 0, 0, 0, 0, 0, 9, 0, 9]);
    const names = parse(xvp, fence, continuous).map(
      (message) => `${message.route} ${message.name}`,
    );
    expect(names).toEqual([
      'refuse xvp (power control)',
      'refuse ClientFence',
      'refuse EnableContinuousUpdates',
    ]);
  });
});
