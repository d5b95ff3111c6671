import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, readFile, rmdir, stat, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { RepriseError } from '../errors.js';

import type { InputLog } from './input-event.js';
import { openInputLog, readInputLog } from './input-log-reader.js';
import { InputLogWriter } from './input-log-writer.js';
import { recordsOf } from './log-records.js';
import { openBlob, sealBlob } from './sealed-blob.js';
import { FILE_HEADER_BYTES } from './sealed-frames.js';
import { anyLog } from './testing/arbitraries.js';

const secret = randomBytes(32);
let directory: string;
let path: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'reprise-log-'));
  path = join(directory, 'input.log');
});

afterEach(async () => {
  for (const name of await readdir(directory)) await unlink(join(directory, name));
  await rmdir(directory);
});

/** Writes a log, a flush after every `flushEvery` records. */
async function write(log: InputLog, flushEvery = 7): Promise<Buffer> {
  await unlink(path).catch(() => undefined);
  const writer = await InputLogWriter.create(path, secret, log.header);
  for (const [i, record] of [...recordsOf(log)].entries()) {
    if (record.kind === 'input') writer.record(record.input);
    else if (record.kind === 'frame') writer.recordFrame(record.frame.atMs, record.frame.bytes);
    else if (record.kind === 'mark') writer.recordMark(record.mark);
    else writer.recordFramesMissing(record.atMs);
    if (i % flushEvery === flushEvery - 1) await writer.flush();
  }
  if (log.end === undefined) await writer.close();
  else await writer.finish(log.end);
  return readFile(path);
}

const typed = (events: number): InputLog => ({
  header: { width: 640, height: 480, held: [], buttons: 0 },
  events: Array.from({ length: events }, (_, i) => ({
    atMs: i * 100,
    event: { kind: 'key' as const, down: i % 2 === 0, keysym: 0x61 + (Math.floor(i / 2) % 26) },
  })),
  end: { atMs: events * 100 },
});

/** Start offsets of the frames, and the file's end. */
function frameOffsets(file: Buffer): number[] {
  const offsets = [];
  let at = FILE_HEADER_BYTES;
  for (; at < file.length; at += 5 + file.readUInt32LE(at + 1) + 16) offsets.push(at);
  return [...offsets, at];
}

function codeOf(read: () => unknown): string {
  try {
    read();
    return 'none';
  } catch (error) {
    return error instanceof RepriseError ? error.code : String(error);
  }
}

describe('the sealed input log', () => {
  test('gives back every log, complete or not', async () => {
    await fc.assert(
      fc.asyncProperty(anyLog, async (log) => {
        const { complete, droppedBytes, ...back } = openInputLog(await write(log), secret);
        expect(back).toEqual(log);
        expect([complete, droppedBytes]).toEqual([log.end !== undefined, 0]);
      }),
      { numRuns: 40 },
    );
  });

  test('is a file only its owner can read, and shows nothing of what was typed', async () => {
    const file = await write(typed(200));
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(file.includes(Buffer.from('abcdef'))).toBe(false);
    expect(await readInputLog(path, secret)).toMatchObject({ complete: true });
  });

  test('cut off anywhere, keeps what was flushed before and says what is missing', async () => {
    const log = typed(40);
    const file = await write(log);
    const offsets = frameOffsets(file);
    for (let cut = FILE_HEADER_BYTES; cut < file.length; cut++) {
      const whole = offsets.filter((offset) => offset <= cut).length - 1;
      if (whole < 1) {
        expect(codeOf(() => openInputLog(file.subarray(0, cut), secret))).toBe(
          'INPUT_LOG_UNREADABLE',
        );
        continue;
      }
      const back = openInputLog(file.subarray(0, cut), secret);
      expect(back.complete).toBe(false);
      expect(back.droppedBytes).toBe(cut - (offsets[whole] ?? 0));
      expect(back.events).toEqual(log.events.slice(0, 7 * (whole - 1)));
    }
  });

  test('a tail of zeros, as a power cut leaves it, counts as torn', async () => {
    const file = await write(typed(40));
    const [, , third] = frameOffsets(file);
    const back = openInputLog(Buffer.concat([file.subarray(0, third), Buffer.alloc(300)]), secret);
    expect([back.complete, back.droppedBytes, back.events.length]).toEqual([false, 300, 7]);
  });

  test('any changed bit is found', async () => {
    const file = await write(typed(40));
    fc.assert(
      fc.property(fc.nat(file.length - 1), fc.nat(7), (at, bit) => {
        const changed = Buffer.from(file);
        changed[at] = (changed[at] ?? 0) ^ (1 << bit);
        // A longer length in a frame's head looks like a torn tail; everything else must be refused.
        const code = codeOf(() => {
          expect(openInputLog(changed, secret).complete).toBe(false);
        });
        expect(['INPUT_LOG_TAMPERED', 'INPUT_LOG_UNREADABLE', 'none']).toContain(code);
        if (code === 'none')
          expect(frameOffsets(file).some((offset) => at > offset && at < offset + 5)).toBe(true);
      }),
      { numRuns: 400 },
    );
  });

  test('frames removed, swapped, repeated or appended are found', async () => {
    const file = await write(typed(40));
    const offsets = frameOffsets(file);
    const head = file.subarray(0, FILE_HEADER_BYTES);
    const frames = offsets.slice(0, -1).map((offset, i) => file.subarray(offset, offsets[i + 1]));
    const [f0, f1, f2, ...rest] = frames as [Buffer, Buffer, Buffer, ...Buffer[]];
    const forgeries = [
      [f0, f2, ...rest],
      [f1, f2, ...rest],
      [f0, f2, f1, ...rest],
      [f0, f1, f1, f2, ...rest],
      [f0, f1, f2, ...rest, f1],
    ];
    for (const forged of forgeries) {
      expect(codeOf(() => openInputLog(Buffer.concat([head, ...forged]), secret))).toBe(
        'INPUT_LOG_TAMPERED',
      );
    }
  });

  test('does not open with another key, nor take frames of another file', async () => {
    const first = await write(typed(40));
    const second = await write(typed(40));
    expect(codeOf(() => openInputLog(first, randomBytes(32)))).toBe('INPUT_LOG_TAMPERED');
    const mixed = Buffer.concat([
      first.subarray(0, FILE_HEADER_BYTES),
      second.subarray(FILE_HEADER_BYTES),
    ]);
    expect(codeOf(() => openInputLog(mixed, secret))).toBe('INPUT_LOG_TAMPERED');
  });

  test('arbitrary files are met with a coded error', async () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(codeOf(() => openInputLog(Buffer.from(bytes), secret))).toBe('INPUT_LOG_UNREADABLE');
      }),
    );
    await expect(readInputLog(join(directory, 'none'), secret)).rejects.toMatchObject({
      code: 'INPUT_LOG_UNREADABLE',
    });
  });

  test('refuses to write over an existing file, and to go on after its end', async () => {
    await writeFile(path, 'precious');
    const { header } = typed(1);
    await expect(InputLogWriter.create(path, secret, header)).rejects.toMatchObject({
      code: 'INPUT_LOG_WRITE_FAILED',
    });
    expect(await readFile(path, 'utf8')).toBe('precious');
    await unlink(path);
    const writer = await InputLogWriter.create(path, secret, header);
    await writer.finish({ atMs: 1 });
    expect(
      codeOf(() => {
        writer.record({ atMs: 2, event: { kind: 'key', down: true, keysym: 1 } });
      }),
    ).toBe('INPUT_LOG_WRITE_FAILED');
    await writer.close();
  });

  test('records stand in the file 64 records later at the latest, without a flush', async () => {
    await using writer = await InputLogWriter.create(path, secret, typed(1).header);
    for (const input of typed(130).events) writer.record(input);
    let events = 0;
    for (let tries = 0; events < 128 && tries < 200; tries++) {
      await new Promise((resolve) => setTimeout(resolve, 10));
      events = (await readInputLog(path, secret)).events.length;
    }
    expect(events).toBeGreaterThanOrEqual(128);
  });
});

describe('a sealed blob', () => {
  test('opens with its secret and purpose, and with nothing else', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 500 }), fc.nat(), (data, at) => {
        const blob = sealBlob(secret, 'input log', data);
        expect(blob.length).toBe(data.length + 49);
        expect(Buffer.compare(openBlob(secret, 'input log', blob), data)).toBe(0);
        expect(codeOf(() => openBlob(secret, 'ledger', blob))).toBe('INPUT_LOG_TAMPERED');
        expect(codeOf(() => openBlob(randomBytes(32), 'input log', blob))).toBe(
          'INPUT_LOG_TAMPERED',
        );
        const changed = Buffer.from(blob);
        changed[at % blob.length] = (changed[at % blob.length] ?? 0) ^ 1;
        expect(codeOf(() => openBlob(secret, 'input log', changed))).toMatch(/TAMPERED|UNREADABLE/);
      }),
    );
  });
});
