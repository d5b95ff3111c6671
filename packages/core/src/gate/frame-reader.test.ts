import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import { framed, FrameReader } from './frame-reader.js';

describe('frames in a byte stream', () => {
  test('come out as they went in, however the stream is cut', () => {
    const frames = fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 20 });
    const cuts = fc.array(fc.integer({ min: 1, max: 97 }), { minLength: 1, maxLength: 50 });
    fc.assert(
      fc.property(frames, cuts, (sent, sizes) => {
        const stream = Buffer.concat(sent.map(framed));
        const reader = new FrameReader();
        const received: Uint8Array[] = [];
        for (let at = 0, i = 0; at < stream.length; i++) {
          const size = sizes[i % sizes.length] ?? 1;
          for (const frame of reader.push(stream.subarray(at, at + size)))
            received.push(Uint8Array.from(frame));
          at += size;
        }
        expect(received).toEqual(sent);
      }),
    );
  });

  test('a length that no frame has is refused before anything of that size is kept', () => {
    const reader = new FrameReader();
    expect(() => [...reader.push(Buffer.from([0xff, 0xff, 0xff, 0xff, 1]))]).toThrow(
      expect.objectContaining({ code: 'PROTOCOL_VIOLATION' }),
    );
  });
});
