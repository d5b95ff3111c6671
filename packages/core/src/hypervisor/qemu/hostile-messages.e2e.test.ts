import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { describe, expect, test } from '@jest/globals';

import { selfTestDisk } from '../../virtual-time/self-test-guest.js';
import { TICK_NS, type DeviceInput, type VirtualClockStatus } from '../virtual-clock.js';

import { virtualClockArguments } from './arguments.js';
import { ClockClient } from './clock-client.js';
import { encodeRequest, type Request } from './clock-messages.js';
import { QEMU_PROGRAM } from './program.js';
import { vclockPlugin } from './vclock-plugin.js';

/** Whatever a controller sends, in whatever state, QEMU lives and does not grow. */

const SEED = Number(process.env['REPRISE_SEED'] ?? Date.now() % 2 ** 31);
const WARM_UP_CONNECTIONS = 60;
const CONNECTIONS = 240;
const MOST_GROWTH_BYTES = 8 * 1024 * 1024;
const TIMEOUT_MS = 30_000;

type State = VirtualClockStatus['mode'];

/** Mulberry32: the same bytes for the same seed. */
class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed;
  }

  below(limit: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % limit;
  }

  bytes(length: number): Buffer {
    return Buffer.from(Array.from({ length }, () => this.below(256)));
  }
}

/** QEMU with a boot sector for a guest, and nobody but the test at its clock. */
class Guest implements AsyncDisposable {
  readonly socket: string;
  readonly #process: ChildProcess;
  readonly #directory: string;

  private constructor(directory: string, process: ChildProcess) {
    this.#directory = directory;
    this.#process = process;
    this.socket = join(directory, 'vclock');
  }

  static async start(): Promise<Guest> {
    const directory = await mkdtemp(join(tmpdir(), 'reprise-hostile-'));
    const disk = join(directory, 'disk');
    await writeFile(disk, selfTestDisk());
    const args = [
      ...['-nodefaults', '-no-user-config', '-display', 'none', '-m', '16M'],
      ...['-blockdev', `driver=file,node-name=disk0,filename=${disk}`],
      ...['-device', 'virtio-blk-pci,drive=disk0,ioeventfd=off'],
      ...virtualClockArguments(directory, await vclockPlugin()),
    ];
    return new Guest(directory, spawn(QEMU_PROGRAM, args, { stdio: 'ignore' }));
  }

  get alive(): boolean {
    return this.#process.exitCode === null && this.#process.signalCode === null;
  }

  async residentBytes(): Promise<number> {
    const status = await readFile(`/proc/${String(this.#process.pid)}/status`, 'utf8');
    // Anonymous memory: the guest's own is touched for the first time whenever it likes.
    const kibibytes = /RssAnon:\s+(\d+)/.exec(status)?.[1];
    return Number(kibibytes) * 1024;
  }

  /** As the only controller, for as long as `use` takes. */
  async control<T>(use: (clock: ClockClient) => Promise<T>): Promise<T> {
    // The plugin takes a moment to notice that the last one is gone, and turns the next away until then.
    for (let attempt = 0; ; attempt++) {
      await using clock = await ClockClient.connect(this.socket, { timeoutMs: TIMEOUT_MS });
      try {
        await clock.status();
      } catch (error) {
        if (attempt === 100) throw error;
        await sleep(20);
        continue;
      }
      return await use(clock);
    }
  }

  async enter(state: State): Promise<void> {
    await this.control(async (clock) => {
      if (state === 'recording' || state === 'stopped') {
        await clock.record({ tickNs: TICK_NS, paced: true, markEveryNs: 100_000_000 });
      }
      if (state === 'stopped') await clock.stop();
      // As long as no test lasts, unless somebody stops it.
      if (state === 'replaying') await clock.replay(2 ** 52, { markEveryNs: 100_000_000 });
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.alive) {
      const exited = once(this.#process, 'exit');
      this.#process.kill('SIGKILL');
      await exited;
    }
    await rm(this.#directory, { recursive: true, force: true });
  }
}

function anyInput(random: Random): DeviceInput {
  switch (random.below(3)) {
    case 0:
      return { kind: 'key', number: random.below(256), down: random.below(2) === 0 };
    case 1:
      return { kind: 'pointer', x: random.below(32_768), y: random.below(32_768), buttons: 0 };
    default:
      return { kind: 'frame', bytes: random.bytes(1 + random.below(2000)) };
  }
}

/** Of the right shape; the state may be the wrong one. Nothing that leaves the state. */
function anyRequest(random: Random): Request {
  switch (random.below(8)) {
    case 0:
      return { type: 'status' };
    case 1:
      return { type: 'now' };
    case 2:
      return { type: 'wait' };
    case 3:
      return { type: 'mark' };
    case 4: {
      const events = Array.from({ length: random.below(50) }, (_, i) => ({
        atNs: i * TICK_NS,
        input: anyInput(random),
      }));
      return { type: 'append', events };
    }
    default:
      return { type: 'input', input: anyInput(random) };
  }
}

function anyMessage(random: Random): Buffer {
  const message = encodeRequest(random.below(2 ** 32), anyRequest(random));
  switch (random.below(4)) {
    case 0:
      return message;
    case 1:
      // Another body than its type has.
      for (let i = random.below(3); i >= 0; i--) {
        message[6 + random.below(message.length - 6)] = random.below(256);
      }
      return message;
    case 2: {
      const body = random.bytes(6 + random.below(300));
      const length = Buffer.alloc(4);
      length.writeUInt32LE(body.length);
      return Buffer.concat([length, body]);
    }
    default:
      return random.below(8) === 0 ? random.bytes(40) : message;
  }
}

/** Sends messages in pieces of any length, reads or does not, and hangs up wherever it is. */
async function bother(path: string, random: Random): Promise<void> {
  const socket: Socket = connect({ path });
  socket.on('error', () => undefined);
  if (random.below(2) === 0) socket.resume();
  const messages = Array.from({ length: 1 + random.below(20) }, () => anyMessage(random));
  const stream = Buffer.concat(messages);
  const cut = stream.subarray(0, stream.length - random.below(2) * random.below(20));
  for (let at = 0; at < cut.length && !socket.destroyed;) {
    const step = 1 + random.below(4000);
    await new Promise<void>((resolve) => {
      socket.write(cut.subarray(at, at + step), () => {
        resolve();
      });
    });
    at += step;
  }
  if (random.below(2) === 0) await sleep(random.below(5));
  socket.destroy();
  if (!socket.closed) await once(socket, 'close');
}

describe(`the plugin in QEMU, seed ${String(SEED)}`, () => {
  test.each<State>(['idle', 'recording', 'replaying', 'stopped'])(
    'lives with any messages while it is %s, and does not grow',
    async (state) => {
      await using guest = await Guest.start();
      await guest.enter(state);
      const random = new Random(SEED);
      for (let i = 0; i < WARM_UP_CONNECTIONS; i++) await bother(guest.socket, random);
      const before = await guest.residentBytes();
      for (let i = 0; i < CONNECTIONS; i++) await bother(guest.socket, random);
      expect(guest.alive).toBe(true);
      expect((await guest.residentBytes()) - before).toBeLessThan(MOST_GROWTH_BYTES);
      // Whoever comes next is served.
      const status = await guest.control((clock) => clock.status());
      expect(status.mode).toBe(state);
      expect(status.waiting).toBe(0);
    },
    120_000,
  );
});
