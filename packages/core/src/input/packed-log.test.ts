import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import { RepriseError } from '../errors.js';

import type { Anchor, InputLog, TimedInput } from './input-event.js';
import { packInputLog, unpackInputLog } from './packed-log.js';
import { decodeLog } from './record-reader.js';
import { op } from './record-state.js';
import { encodeLogHeader, RecordWriter } from './record-writer.js';
import { anyLog } from './testing/arbitraries.js';

const header = { width: 800, height: 600, held: [], buttons: 0 };

/** A person's typing and clicking: `events` inputs, seeded. */
function session(events: number): InputLog {
  let seed = 42;
  const random = (): number => (seed = (seed * 1103515245 + 12345) & 0x7fffffff) / 0x80000000;
  const inputs: TimedInput[] = [];
  let atMs = 0;
  let anchors = 0;
  const anchor = (): Anchor => ({
    digest: Array.from({ length: 16 }, () => Math.floor(random() * 16).toString(16)).join(''),
    width: 800,
    height: 600,
    mask: [{ x: Math.floor(random() * 20), y: Math.floor(random() * 15), width: 2, height: 2 }],
    cpuMs: atMs * 0.4 + anchors++,
  });
  const text = 'the quick brown fox jumps over the lazy dog; make -j2 && ./run --verbose\r';
  while (inputs.length < events) {
    const character = text.charCodeAt((inputs.length / 2) % text.length);
    const keysym = character === 13 ? 0xff0d : character;
    const pause = random() < 0.03 ? 3000 * random() : 0;
    atMs += 60 + 140 * random() + pause;
    const event = { kind: 'key' as const, down: true, keysym };
    inputs.push(
      pause > 700 || character === 13 ? { atMs, event, anchor: anchor() } : { atMs, event },
    );
    atMs += 40 + 60 * random();
    inputs.push({ atMs, event: { ...event, down: false } });
  }
  return { header, events: inputs, end: { atMs: atMs + 2000, anchor: anchor() } };
}

describe('the packed input log', () => {
  test('holds every log exactly', () => {
    fc.assert(
      fc.property(anyLog, (log) => {
        expect(unpackInputLog(packInputLog(log))).toEqual(log);
      }),
    );
  });

  test('keeps times to the nearest tick, without adding up errors', () => {
    const event = { kind: 'key' as const, down: true, keysym: 0x61 };
    const events = Array.from({ length: 1000 }, (_, i) => ({ atMs: i * 13.7, event }));
    const back = unpackInputLog(packInputLog({ header, events }));
    back.events.forEach(({ atMs }, i) => {
      expect(Math.abs(atMs - i * 13.7)).toBeLessThanOrEqual(5.001);
    });
  });

  test('costs four bytes for a typed letter before compression, and a page of typing about a kilobyte', () => {
    const writer = new RecordWriter(header);
    writer.input({ atMs: 100, event: { kind: 'key', down: true, keysym: 0x61 } });
    writer.input({ atMs: 180, event: { kind: 'key', down: false, keysym: 0x61 } });
    expect(writer.length).toBe(4);
    expect(packInputLog(session(300)).length).toBeLessThan(1024);
  });

  test('keeps network frames only where times are exact, never empty ones, and none after it said that some are missing', () => {
    const virtual = { ...header, virtual: { startNs: 7n } };
    const written = (
      write: (records: RecordWriter) => void,
      head: InputLog['header'] = virtual,
    ) => {
      const records = new RecordWriter(head);
      write(records);
      return Buffer.concat([encodeLogHeader(head), records.drain()]);
    };
    const frame = Uint8Array.of(1, 2, 3);
    const good = written((records) => {
      records.frame(10, frame);
      records.framesMissing(20);
    });
    expect(decodeLog(good)).toMatchObject({
      frames: [{ atMs: 10, after: 0, bytes: frame }],
      framesMissingFromMs: 20,
    });
    const bad = [
      written((records) => {
        records.frame(10, frame);
      }, header),
      written((records) => {
        records.framesMissing(10);
      }, header),
      written((records) => {
        records.frame(10, new Uint8Array(0));
      }),
      written((records) => {
        records.frame(10, new Uint8Array(70_000));
      }),
      written((records) => {
        records.framesMissing(10);
        records.frame(20, frame);
      }),
      written((records) => {
        records.framesMissing(10);
        records.framesMissing(20);
      }),
    ];
    for (const bytes of bad) {
      expect(() => decodeLog(bytes)).toThrow(
        expect.objectContaining({ code: 'INPUT_LOG_UNREADABLE' }),
      );
    }
  });

  test('keeps marks only where they have an interval, and only forward in time', () => {
    const marked = { ...header, virtual: { startNs: 7n, markEveryMs: 500 } };
    const mark = (atMs: number) => ({
      ...{ atMs, instructions: 9 * atMs, diskRequests: 2, framesReceived: 65_535, framesSent: 1 },
      ...{ disk: 0xffff_ffff, input: 1, memory: 0 },
    });
    const written = (times: readonly number[], head: InputLog['header'] = marked) => {
      const records = new RecordWriter(marked);
      for (const atMs of times) records.mark(mark(atMs));
      return Buffer.concat([encodeLogHeader(head), records.drain()]);
    };
    expect(decodeLog(written([500, 1500])).marks).toEqual([mark(500), mark(1500)]);
    const standing = written([500]);
    standing[standing.indexOf(op.mark) + 1] = 0;
    for (const bytes of [standing, written([500], { ...header, virtual: { startNs: 7n } })])
      expect(() => decodeLog(bytes)).toThrow(
        expect.objectContaining({ code: 'INPUT_LOG_UNREADABLE' }),
      );
  });

  test('costs about twenty bytes for a mark', () => {
    const records = new RecordWriter({ ...header, virtual: { startNs: 7n, markEveryMs: 10_000 } });
    const at = (number: number) => ({
      ...{
        atMs: number * 10_000,
        instructions: number * 2_400_000_000,
        diskRequests: number * 700,
      },
      ...{ framesReceived: number * 20, framesSent: number * 30, disk: 1, input: 2, memory: 3 },
    });
    records.mark(at(1));
    records.drain();
    records.mark(at(2));
    expect(records.length).toBeLessThanOrEqual(24);
  });

  test('arbitrary and damaged bytes are met with a coded error', () => {
    const coded = (read: () => unknown): void => {
      try {
        read();
      } catch (error) {
        expect(error).toBeInstanceOf(RepriseError);
        expect((error as RepriseError).code).toBe('INPUT_LOG_UNREADABLE');
      }
    };
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        coded(() => unpackInputLog(bytes));
        coded(() => decodeLog(bytes));
        coded(() => decodeLog(Buffer.concat([Buffer.from([1, 10, 9, 9, 0, 0, 0]), bytes])));
      }),
    );
    fc.assert(
      fc.property(anyLog, fc.nat(), fc.nat(255), (log, at, value) => {
        const bytes = packInputLog(log);
        bytes[at % bytes.length] = value;
        coded(() => unpackInputLog(bytes));
      }),
    );
  });
});
