import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import { RepriseError } from '../../errors.js';

import { appendedBytes, encodeRequest, numberOf, ReplyReader } from './clock-messages.js';

function reply(type: number, id: number, body: Buffer, version = 2): Buffer {
  const head = Buffer.alloc(10);
  head.writeUInt32LE(6 + body.length, 0);
  head.writeUInt8(version, 4);
  head.writeUInt8(type, 5);
  head.writeUInt32LE(id, 6);
  return Buffer.concat([head, body]);
}

const time = (ns: bigint) => {
  const body = Buffer.alloc(8);
  body.writeBigInt64LE(ns);
  return body;
};

describe('what the plugin is asked', () => {
  test('has the layout of its documentation', () => {
    const request = encodeRequest(7, {
      type: 'input',
      input: { kind: 'key', number: 0x9c, down: true },
    });
    expect(request.toString('hex')).toBe(
      '0c000000' + '02' + '04' + '07000000' + '01' + '9c000000' + '01',
    );
  });

  test('is as long as the client reckons when it cuts a log into messages', () => {
    const events = [
      { atNs: 1, input: { kind: 'pointer', x: 5, y: 6, buttons: 1 } },
      { atNs: 2, input: { kind: 'frame', bytes: Buffer.alloc(1500) } },
    ] as const;
    const whole = encodeRequest(1, { type: 'append', events }).length;
    const empty = encodeRequest(1, { type: 'append', events: [] }).length;
    expect(whole - empty).toBe(events.reduce((sum, event) => sum + appendedBytes(event), 0));
  });
});

describe('what the plugin answers', () => {
  test('is understood however the stream was cut', () => {
    fc.assert(
      fc.property(
        fc.array(fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }), { maxLength: 20 }),
        fc.integer({ min: 1, max: 9 }),
        (times, step) => {
          const stream = Buffer.concat(times.map((ns, i) => reply(0x80, i, time(ns))));
          const reader = new ReplyReader();
          const got = [];
          for (let at = 0; at < stream.length; at += step)
            got.push(...reader.push(stream.subarray(at, at + step)));
          expect(got).toEqual(times.map((ns, id) => ({ type: 'time', id, ns })));
        },
      ),
    );
  });

  test('may be of a guest whose clock has run for a hundred years', () => {
    const nowNs = 100n * 365n * 86_400n * 10n ** 9n;
    const counts = [nowNs, 20n, nowNs / 4n, 30n, 1n, 0n, 0n, 2n, 3n];
    const body = Buffer.concat([Buffer.from([1]), ...counts.map(time)]);
    const [got] = new ReplyReader().push(reply(0x81, 1, body));
    expect(got).toMatchObject({
      status: { nowNs, sessionNs: 20, instructions: nowNs / 4n, lagNs: 30, diskNs: 3 },
    });
    // A time of the session itself has to stay exact.
    expect(() => numberOf(nowNs)).toThrow(
      expect.objectContaining({ code: 'VIRTUAL_CLOCK_FAILED' }),
    );
  });

  test('is refused, with what to do, when it is no reply', () => {
    const bad = [
      reply(0x80, 1, time(1n), 1),
      reply(0x77, 1, time(1n)),
      reply(0x80, 1, Buffer.alloc(3)),
      reply(0x81, 1, Buffer.from([9])),
      reply(0x82, 1, Buffer.alloc(51)),
      Buffer.from('ffffffff00000000', 'hex'),
    ];
    for (const bytes of bad) {
      expect(() => new ReplyReader().push(bytes)).toThrow(
        expect.objectContaining({ code: 'VIRTUAL_CLOCK_FAILED' }),
      );
    }
  });

  test('never brings the reader to anything but replies or that error', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        try {
          new ReplyReader().push(Buffer.from(bytes));
        } catch (error) {
          expect(error).toBeInstanceOf(RepriseError);
        }
      }),
    );
  });
});
