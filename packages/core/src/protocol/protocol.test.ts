import { randomUUID } from 'node:crypto';
import { getEventListeners } from 'node:events';
import { Duplex, PassThrough } from 'node:stream';

import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import type { Link } from '../link/index.js';
import { parseMachine } from '../machine/index.js';

import {
  Channel,
  messages,
  transitions,
  type Content,
  type MessageName,
  type Phase,
} from './index.js';

/** Two ends of a pipe in memory, counting what crosses it. */
function pipe(): { near: Link; far: Link; crossed: { there: number; back: number } } {
  const there = new PassThrough();
  const back = new PassThrough();
  const crossed = { there: 0, back: 0 };
  there.on('data', (chunk: Buffer) => (crossed.there += chunk.length));
  back.on('data', (chunk: Buffer) => (crossed.back += chunk.length));
  const end = (readable: PassThrough, writable: PassThrough, peer: string): Link => {
    const stream = Duplex.from({ readable, writable });
    stream.on('error', () => undefined);
    const close = () => {
      stream.destroy();
      return Promise.resolve();
    };
    return { peer, stream, lastWords: () => '', close, [Symbol.asyncDispose]: close };
  };
  return { near: end(back, there, 'far'), far: end(there, back, 'near'), crossed };
}

const self = { software: 'reprise test', host: randomUUID() };

const meeting: Content<'meet'> = {
  vm: randomUUID(),
  name: 'desk',
  machine: parseMachine({
    version: 1,
    hypervisor: 'qemu',
    accelerator: 'tcg',
    memoryMiB: 128,
    diskBytes: 4096,
    boot: { kind: 'firmware' },
    clockBase: '2026-01-01T00:00:00',
    seed: 1,
  }),
  target: 'a'.repeat(64),
  bases: ['b'.repeat(64)],
  resume: true,
  handoff: [],
  occupiedBytes: 1,
};

const answer: Content<'met'> = {
  obstacles: [],
  freeBytes: 1,
  known: true,
  complete: false,
  handoff: [],
};

async function channels() {
  const { near, far, crossed } = pipe();
  const [source, destination] = await Promise.all([
    Channel.open(near, 'source', self),
    Channel.open(far, 'destination', self),
  ]);
  return { source, destination, crossed, rawToDestination: near };
}

describe('a channel', () => {
  test('counts every byte that crosses the link, by class and direction, alike on both sides', async () => {
    const { source, destination, crossed } = await channels();
    await source.send('meet', meeting);
    expect(await destination.receive('meet')).toEqual({ name: 'meet', content: meeting });
    await destination.send('met', answer);
    expect(await source.receive('met')).toEqual({ name: 'met', content: answer });
    expect(source.bytes.sent).toBe(crossed.there);
    expect(source.bytes.received).toBe(crossed.back);
    expect(destination.bytes.sent).toBe(source.bytes.received);
    expect(destination.bytes.received).toBe(source.bytes.sent);
    expect(source.bytes.byClass.control.sent).toBe(crossed.there);
    expect(source.bytes.byClass.ram).toEqual({ sent: 0, received: 0 });
  });

  test('refuses to send what the phase does not allow', async () => {
    const { source } = await channels();
    await expect(source.send('device', new Uint8Array(1))).rejects.toMatchObject({
      code: 'PROTOCOL_VIOLATION',
    });
  });

  test('refuses a message from the side that may not send it', async () => {
    const { destination } = await channels();
    await expect(destination.send('meet', meeting)).rejects.toMatchObject({
      code: 'PROTOCOL_VIOLATION',
    });
  });

  test("throws the peer's error with its words", async () => {
    const { source, destination } = await channels();
    await destination.sendError(new Error('the disk is full'));
    await expect(source.receive('met')).rejects.toMatchObject({
      code: 'PEER_ERROR',
      message: expect.stringContaining('the disk is full'),
    });
  });

  test('bounds a frame before it reads it', async () => {
    const { destination, rawToDestination } = await channels();
    const header = Buffer.alloc(4);
    header.writeUInt32BE(((messages.meet.type << 24) | (messages.meet.maxBytes + 1)) >>> 0);
    rawToDestination.stream.write(header);
    await expect(destination.receive('meet')).rejects.toMatchObject({ code: 'FRAME_TOO_LARGE' });
  });

  test('says that the link closed when it closes between two messages', async () => {
    const { source, destination } = await channels();
    await source.close();
    await expect(destination.receive('meet')).rejects.toMatchObject({ code: 'LINK_FAILED' });
  });

  test('can be cancelled while it waits', async () => {
    const { near, far } = pipe();
    const controller = new AbortController();
    const [source] = await Promise.all([
      Channel.open(near, 'source', self, { signal: controller.signal }),
      Channel.open(far, 'destination', self),
    ]);
    const waiting = source.receive('met');
    controller.abort();
    await expect(waiting).rejects.toMatchObject({ code: 'CANCELLED' });
  });

  test('cancels what begins to wait afterwards', async () => {
    const { near, far } = pipe();
    const signal = AbortSignal.abort();
    const opening = Channel.open(near, 'source', self, { signal });
    await expect(opening).rejects.toMatchObject({ code: 'CANCELLED' });
    far.stream.destroy();
  });

  test('leaves nothing on a signal that outlives it', async () => {
    const { near, far } = pipe();
    const { signal } = new AbortController();
    const [source] = await Promise.all([
      Channel.open(near, 'source', self, { signal }),
      Channel.open(far, 'destination', self),
    ]);
    expect(getEventListeners(signal, 'abort')).not.toEqual([]);
    const closed = new Promise((resolve) => near.stream.once('close', resolve));
    await source.close();
    await closed;
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });

  test('quotes a login shell that talks', async () => {
    const { near, far } = pipe();
    far.stream.write('Welcome to laptop! You have mail.\n');
    await expect(Channel.open(near, 'source', self)).rejects.toMatchObject({
      code: 'LINK_FAILED',
      message: expect.stringContaining('Welcome to laptop!'),
    });
  });

  test('meets arbitrary bytes with a coded error, never with anything else', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 4, maxLength: 200 }), async (junk) => {
        const { destination, rawToDestination } = await channels();
        rawToDestination.stream.end(junk);
        const outcome = await destination.receive('meet', 'seed').then(
          () => 'message',
          (error: unknown) => (error as { code: string }).code,
        );
        expect(outcome).toMatch(
          /^(PROTOCOL_VIOLATION|FRAME_TOO_LARGE|LINK_FAILED|PEER_ERROR|message)$/,
        );
        await destination.close();
      }),
      { numRuns: 200 },
    );
  });
});

describe('the table of phases', () => {
  test('gives every message a place, and leads from greeting to every phase', () => {
    const reached = new Set<Phase>(['greeting']);
    const placed = new Set<MessageName>(['hello', 'keepalive', 'error']);
    for (const phase of reached) {
      for (const [name, next] of Object.entries(transitions[phase])) {
        placed.add(name as MessageName);
        reached.add(next);
      }
    }
    expect([...reached].sort()).toEqual(Object.keys(transitions).sort());
    expect([...placed].sort()).toEqual(Object.keys(messages).sort());
  });

  test('always leaves somebody something to say, until it is over', () => {
    for (const [phase, row] of Object.entries(transitions)) {
      const senders = Object.keys(row).map((n) => messages[n as MessageName].from);
      expect({ phase, senders: senders.length }).not.toEqual({ phase, senders: 0 });
    }
  });
});
