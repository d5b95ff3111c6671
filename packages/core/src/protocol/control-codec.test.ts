import { createHash } from 'node:crypto';
import { deflateRawSync } from 'node:zlib';

import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import { ControlCodec, KNOWN_WORDS } from './control-codec.js';
import { PROTOCOL_VERSION } from './messages.js';

const LIMIT = 64 * 1024;
const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));

describe('JSON messages on the wire', () => {
  test('come out as they went in, whatever was said before', () => {
    fc.assert(
      fc.property(
        fc.array(fc.dictionary(fc.string(), fc.jsonValue()), { maxLength: 20 }),
        (messages) => {
          const [here, there] = [new ControlCodec(), new ControlCodec()];
          for (const message of messages) {
            const plain = json(message);
            expect(there.decode(here.encode(plain), LIMIT).equals(plain)).toBe(true);
          }
        },
      ),
    );
  });

  test('cost little once something like them was said', () => {
    const [here, there] = [new ControlCodec(), new ControlCodec()];
    const progress = (events: number): Buffer =>
      json({ events, eventsTotal: 722, missesInARow: 0, sessionMs: 110 * events, matchedMs: 3540 });
    const sizes = [1, 52, 126, 331].map((events) => {
      const wire = here.encode(progress(events));
      expect(there.decode(wire, LIMIT)).toEqual(progress(events));
      return wire.length;
    });
    expect(Math.max(...sizes.slice(1))).toBeLessThan(32);
    const root = createHash('sha256').update('a root').digest('hex');
    here.encode(json({ target: root }));
    expect(here.encode(json({ type: 'offer', root })).length).toBeLessThan(32);
  });

  test('are never larger than they are plain', () => {
    const codec = new ControlCodec();
    expect(codec.encode(json({}))).toEqual(json({}));
  });

  test('that would inflate to more than they may are refused, like those that are damaged', () => {
    const bomb = Buffer.concat([Buffer.of(0), deflateRawSync(Buffer.alloc(LIMIT + 1, 32))]);
    expect(() => new ControlCodec().decode(bomb, LIMIT)).toThrow();
    expect(() => new ControlCodec().decode(Buffer.of(0, 255, 255), LIMIT)).toThrow();
    expect(() => new ControlCodec().decode(Buffer.of(0), LIMIT)).toThrow();
  });

  test('are deflated against words that belong to the version: other words, another version', () => {
    const words = createHash('sha256').update(KNOWN_WORDS).digest('hex').slice(0, 16);
    expect({ PROTOCOL_VERSION, words }).toEqual({
      PROTOCOL_VERSION: 10,
      words: 'd126171caabb9dbd',
    });
  });
});
