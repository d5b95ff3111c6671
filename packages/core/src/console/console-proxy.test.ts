import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { once } from 'node:events';
import { mkdtemp, readdir, rmdir, stat, unlink, writeFile } from 'node:fs/promises';
import { createConnection, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import type { RepriseError } from '../errors.js';
import type { InputEvent, InputSink } from '../input/input-event.js';
import { decodeLog } from '../input/record-reader.js';
import { encodeLogHeader, RecordWriter } from '../input/record-writer.js';
import { Tape } from '../input/testing/tape.js';

import { ByteReader } from './byte-reader.js';
import { encodeInput } from './client-messages.js';
import { type ConsoleProxy, type ConsoleProxyOptions, openConsoleProxy } from './console-proxy.js';
import type { InputInjector } from './input-injector.js';
import { clientHandshake } from './rfb-handshake.js';
import { encodeSetEncodings, encoding } from './rfb-protocol.js';
import { RfbClient } from './rfb-client.js';
import { RecordingDisplay } from './testing/recording-display.js';

let directory: string;
let path: string;
let display: RecordingDisplay;
let tape: Tape;
let warnings: RepriseError[];
const open: (ConsoleProxy | RfbClient)[] = [];
const sockets: Socket[] = [];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'reprise-console-'));
  path = join(directory, 'console');
  display = await RecordingDisplay.start();
  tape = new Tape();
  warnings = [];
});

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  for (const resource of open.splice(0).reverse()) await resource.close();
  await display.close();
  expect(await readdir(directory)).toEqual([]);
  await rmdir(directory);
});

async function openProxy(options: Partial<ConsoleProxyOptions> = {}): Promise<ConsoleProxy> {
  const onWarning = (warning: RepriseError): void => void warnings.push(warning);
  const proxy = await openConsoleProxy({
    display: display.path,
    listen: { path },
    recorder: tape,
    inputBacklog: () => Promise.resolve(0),
    onWarning,
    ...options,
  });
  open.push(proxy);
  return proxy;
}

async function view(
  address: Parameters<typeof RfbClient.connect>[0] = path,
  password?: string,
): Promise<RfbClient> {
  const client = await RfbClient.connect(address, password === undefined ? {} : { password });
  open.push(client);
  return client;
}

/** A viewer that sends what it likes. */
async function rawViewer(): Promise<{ socket: Socket; closed: Promise<unknown> }> {
  const socket = createConnection(path);
  sockets.push(socket);
  socket.on('error', () => socket.destroy());
  const reader = new ByteReader(socket, () => new Error('closed'));
  await clientHandshake(reader, socket);
  reader.detach();
  const closed = once(socket, 'close');
  socket.resume();
  return { socket, closed };
}

const press = (keysym: number, down = true): InputEvent => ({ kind: 'key', down, keysym });

describe('the console proxy', () => {
  test('10,000 events reach display and log once each, in order', async () => {
    await openProxy();
    const viewer = await view();
    const sent: InputEvent[] = [];
    for (let i = 0; sent.length < 10_000; i++) {
      const keysym = 0x20 + (i % 90);
      const batch: InputEvent[] = [
        press(keysym),
        { kind: 'extended-key', down: true, keysym: 0xffe1, keycode: 0x2a },
        press(keysym, false),
        { kind: 'pointer', x: i % 128, y: i % 96, buttons: i % 2 },
        { kind: 'extended-key', down: false, keysym: 0xffe1, keycode: 0x2a },
      ];
      sent.push(...batch);
      for (const event of batch) if (!viewer.send(event)) await viewer.drained();
    }
    await display.until(() => display.inputs.length >= sent.length);
    expect(display.inputs).toEqual(sent);
    expect(tape.events).toEqual(sent);
    const writer = new RecordWriter({ width: 128, height: 96, held: [], buttons: 0 });
    for (const input of tape.inputs) writer.input(input);
    const bytes = Buffer.concat([
      encodeLogHeader({ width: 128, height: 96, held: [], buttons: 0 }),
      writer.drain(),
    ]);
    expect(decodeLog(bytes).events.map(({ event }) => event)).toEqual(sent);
  });

  test('input of several viewers is logged in the order in which the display got it', async () => {
    await openProxy();
    const viewers = [await view(), await view(), await view()];
    for (let i = 0; i < 200; i++) {
      for (const [n, viewer] of viewers.entries()) viewer.pointer(i % 128, n);
      if (i % 10 === 0) await viewers[i % 3]?.drained();
    }
    await display.until(() => display.inputs.length === 600);
    expect(tape.events).toEqual(display.inputs);
  });

  test('eight viewers that type at once into a guest that hardly runs lose nothing, and never overrun its devices', async () => {
    let taken = 0;
    let most = 0;
    const inputBacklog = async (): Promise<number> => {
      const left = 2 * tape.inputs.length - taken;
      most = Math.max(most, left);
      taken += Math.min(left, 30);
      // The answer is about the time of the question.
      await delay(1);
      return left;
    };
    await openProxy({ inputBacklog });
    const viewers = await Promise.all(Array.from({ length: 8 }, () => view()));
    for (const [i, viewer] of viewers.entries())
      for (let n = 0; n < 20; n++) viewer.key(0x61 + i, n % 2 === 0);
    await display.until(() => display.inputs.length === 160);
    expect(tape.events).toEqual(display.inputs);
    expect(most).toBeLessThanOrEqual(8 * 4);
    for (let i = 0; i < 8; i++)
      expect(tape.events.filter((e) => e.kind === 'key' && e.keysym === 0x61 + i)).toHaveLength(20);
  });

  test('every viewer sees the same pixels, and one that comes back sees them again', async () => {
    await openProxy();
    const [first, second] = [await view(), await view()];
    display.draw(3, 4, 50, 60, 0x123456);
    for (const viewer of [first, second]) {
      const { pixels } = await viewer.screenshot();
      expect([...pixels.subarray(4 * (4 * 128 + 3), 4 * (4 * 128 + 3) + 3)]).toEqual([
        0x56, 0x34, 0x12,
      ]);
    }
    await first.close();
    const again = await view();
    expect((await again.screenshot()).pixels).toEqual((await second.screenshot()).pixels);
    again.key(0x61, true);
    await display.until(() => display.inputs.length === 1);
  });

  test('a viewer that leaves releases what is pressed, in display and log, before its connection ends', async () => {
    await openProxy();
    const [leaving, staying] = [await view(), await view()];
    staying.key(0xffe1, true);
    await display.until(() => display.inputs.length === 1);
    leaving.pointer(5, 6, 1);
    await display.until(() => display.inputs.length === 2);
    await leaving.close();
    await display.until(() => display.inputs.length === 4);
    expect(tape.events).toEqual([
      press(0xffe1),
      { kind: 'pointer', x: 5, y: 6, buttons: 1 },
      press(0xffe1, false),
      { kind: 'pointer', x: 5, y: 6, buttons: 0 },
    ]);
    expect(display.inputs).toEqual(tape.events);
  });

  test('a viewer that is cut off in the middle of a message leaves no part of it behind', async () => {
    await openProxy();
    const { socket, closed } = await rawViewer();
    socket.write(
      Buffer.concat([
        encodeInput(press(0x61)),
        encodeInput(press(0x61, false)),
        encodeInput(press(0x62)).subarray(0, 5),
      ]),
    );
    await display.until(() => display.inputs.length === 2);
    socket.destroy();
    await closed;
    const next = await view();
    next.key(0x63, true);
    await display.until(() => display.inputs.length === 3);
    expect(display.inputs[2]).toEqual(press(0x63));
    expect(warnings).toEqual([]);
  });

  test('a message of unknown type closes that viewer with a warning that names it, and no other', async () => {
    await openProxy();
    const other = await view();
    const { socket, closed } = await rawViewer();
    socket.write(Buffer.concat([encodeInput(press(0x61)), Buffer.from([99, 1, 2, 3])]));
    await closed;
    expect(
      warnings.map(({ code, message }) => [code, message.includes('unknown type 99')]),
    ).toEqual([['RFB_VIOLATION', true]]);
    other.key(0x62, true);
    await display.until(() => display.inputs.length === 3);
  });

  test('hostile viewers harm nobody: garbage, silence, never reading, too many', async () => {
    await openProxy({ maxViewers: 4, handshakeTimeoutMs: 500 });
    const good = await view();
    const garbage = createConnection(path);
    sockets.push(garbage);
    garbage.on('error', () => garbage.destroy()).resume();
    garbage.write(Buffer.alloc(100_000, 0x41));
    const silent = createConnection(path);
    sockets.push(silent);
    await Promise.all([once(garbage, 'close'), once(silent.resume(), 'close')]);
    const greedy = await rawViewer();
    greedy.socket.pause();
    const full = Buffer.alloc(10);
    full.writeUInt8(3, 0);
    full.writeUInt16BE(128, 6);
    full.writeUInt16BE(96, 8);
    greedy.socket.write(Buffer.concat(Array.from({ length: 200 }, () => full)));
    const third = await rawViewer();
    const fourth = await rawViewer();
    const fifth = createConnection(path).resume();
    sockets.push(fifth);
    await once(fifth, 'close');
    good.key(0x61, true);
    display.draw(0, 0, 128, 96, 0xffffff);
    await display.until(() => display.inputs.length === 1);
    expect(await good.waitForChange({ since: 0, timeoutMs: 5000 })).toBe(true);
    for (const { socket } of [greedy, third, fourth]) socket.destroy();
  });

  test('asks the display for none of the encodings that change what input means; the rest of the list passes', async () => {
    await openProxy();
    const before = display.encodings.length;
    const { socket } = await rawViewer();
    socket.write(
      encodeSetEncodings([7, encoding.pointerTypeChange, encoding.qemuExtendedKey, encoding.xvp]),
    );
    await display.until(() => display.encodings.length > before);
    expect(display.encodings.at(-1)).toEqual([7, encoding.qemuExtendedKey]);
  });

  test('resize and clipboard reach the display and the log; power control reaches neither', async () => {
    await openProxy();
    const viewer = await view();
    const resize: InputEvent = {
      kind: 'resize',
      width: 800,
      height: 600,
      screens: [{ id: 1, x: 0, y: 0, width: 800, height: 600, flags: 0 }],
    };
    const clipboard: InputEvent = {
      kind: 'clipboard',
      extended: false,
      data: new Uint8Array([65, 66]),
    };
    viewer.send(resize);
    viewer.send(clipboard);
    await display.until(() => display.inputs.length === 2);
    expect(display.inputs).toEqual([resize, clipboard]);
    expect(tape.events).toEqual([resize, clipboard]);
    const { socket } = await rawViewer();
    socket.write(Buffer.concat([Buffer.from([250, 0, 1, 4]), encodeInput(press(0x61))]));
    await display.until(() => display.inputs.length === 3);
    expect(display.messages).not.toContain('xvp (power control)');
    expect(warnings.map(({ message }) => message.includes('power control'))).toEqual([true]);
  });

  test('tells once when a viewer types what no key of the VM sends, and takes it by its key from one that says which', async () => {
    await openProxy();
    const viewer = await view();
    for (const sign of [0xe9, 0x6c6, 0x010020ac]) viewer.press(sign);
    viewer.extendedKey(0x6c6, 0x1e, true);
    viewer.press('F5');
    await display.until(() => display.inputs.length === 9);
    expect(warnings.map(({ code, message }) => [code, message.includes('layout')])).toEqual([
      ['RFB_UNSUPPORTED', true],
    ]);
    expect(tape.events).toEqual(display.inputs);
  });

  test('held input is released first, then dropped with one warning, then admitted again', async () => {
    const proxy = await openProxy();
    const viewer = await view();
    viewer.key(0x61, true);
    await display.until(() => display.inputs.length === 1);
    await proxy.holdInput();
    expect(tape.events).toEqual([press(0x61), press(0x61, false)]);
    viewer.key(0x62, true);
    viewer.key(0x62, false);
    viewer.send({ kind: 'pointer', x: 1, y: 1, buttons: 0 });
    for (let tries = 0; warnings.length === 0 && tries < 500; tries++)
      await new Promise((resolve) => setTimeout(resolve, 10));
    await viewer.screenshot(); // what was sent before has been judged
    proxy.admitInput();
    viewer.key(0x63, true);
    await display.until(() => display.inputs.length === 3);
    expect(display.inputs[2]).toEqual(press(0x63));
    expect(tape.events).toEqual(display.inputs);
    expect(warnings.map(({ code }) => code)).toEqual(['VM_NOT_RUNNING']);
  });

  test('a session ends with everything released and an anchor of the last screen', async () => {
    const proxy = await openProxy({ guestProgress: () => Promise.resolve({ cpuMs: 5 }) });
    const viewer = await view();
    viewer.key(0xff0d, true);
    await display.until(() => display.inputs.length === 1);
    display.draw(0, 0, 64, 64, 0x00ff00);
    const end = await proxy.endSession();
    expect(await proxy.endSession()).toBe(end);
    expect(tape.end).toBe(end);
    expect(tape.events).toEqual([press(0xff0d), press(0xff0d, false)]);
    await viewer.screenshot();
    expect(end.anchor?.digest).toBe(viewer.digest(end.anchor?.mask));
    expect(tape.inputs[0]?.anchor?.digest).not.toBe(end.anchor?.digest);
  });

  test('a display that goes away closes viewers, and is found again', async () => {
    await openProxy();
    const viewer = await view();
    viewer.key(0x61, true);
    await display.until(() => display.inputs.length === 1);
    display.drop();
    await viewer.closed;
    await display.until(() => display.connections === 1);
    expect(tape.events).toEqual([press(0x61), press(0x61, false)]);
    const again = await view();
    again.key(0x62, true);
    await display.until(() => display.inputs.length >= 2);
    expect(display.inputs.at(-1)).toEqual(press(0x62));
    expect(warnings.some(({ code }) => code === 'DISPLAY_LOST')).toBe(true);
  });

  test('a button that was down when the display went away is lifted when it is back, in guest and log', async () => {
    await openProxy();
    const viewer = await view();
    const down: InputEvent = { kind: 'pointer', x: 5, y: 6, buttons: 1 };
    viewer.send(down, press(0x61));
    await display.until(() => display.inputs.length === 2);
    display.drop();
    await display.until(() => display.inputs.length === 4);
    const up: InputEvent = { ...down, buttons: 0 };
    // QEMU lifts keys by itself, and a button only on a connection on which it went down.
    expect(display.inputs).toEqual([down, press(0x61), down, up]);
    expect(tape.events).toEqual([down, press(0x61), press(0x61, false), down, up]);
  });

  test('a sink that fails costs the recording, not the console', async () => {
    const failing: InputSink = {
      record: () => {
        throw new Error('disk full');
      },
    };
    await openProxy({ recorder: failing });
    const viewer = await view();
    viewer.press(0x61);
    await display.until(() => display.inputs.length === 2);
    expect(warnings.map(({ code }) => code)).toEqual(['INPUT_LOG_WRITE_FAILED']);
  });
});

describe('where the console listens', () => {
  test('its socket has mode 0600, takes the place of a dead one, and goes away with it', async () => {
    const dead = createServer().listen(path + '.1');
    await once(dead, 'listening');
    // A socket file that nobody serves: bound, then abandoned under another name.
    const { rename } = await import('node:fs/promises');
    await rename(path + '.1', path);
    dead.close();
    await openProxy();
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    await view();
  });

  test('a living console is not replaced, nor a file that is not a socket', async () => {
    await openProxy();
    await expect(openProxy()).rejects.toMatchObject({ code: 'CONSOLE_ADDRESS_IN_USE' });
    const file = join(directory, 'file');
    await writeFile(file, 'x');
    await expect(openProxy({ listen: { path: file } })).rejects.toMatchObject({
      code: 'CONSOLE_ADDRESS_IN_USE',
    });
    await unlink(file);
  });

  test('a port asks for the password, takes the right one, and refuses the wrong one', async () => {
    const proxy = await openProxy({ listen: { host: '127.0.0.1', port: 0, password: 's3cret' } });
    const port = Number(proxy.address.split(':')[1]);
    const address = { host: '127.0.0.1', port };
    await expect(view(address, 'wrong')).rejects.toMatchObject({
      code: 'RFB_AUTHENTICATION_FAILED',
    });
    await expect(view(address)).rejects.toMatchObject({ code: 'RFB_AUTHENTICATION_FAILED' });
    const viewer = await view(address, 's3cret');
    viewer.key(0x61, true);
    await display.until(() => display.inputs.length === 1);
    expect(warnings.map(({ code }) => code)).toContain('RFB_AUTHENTICATION_FAILED');
    expect(
      JSON.stringify(warnings.map(({ message, context }) => [message, context])),
    ).not.toContain('s3cret');
  });

  test('a port without a password is refused, and a display that is not there is said so', async () => {
    await expect(
      openProxy({ listen: { host: '127.0.0.1', port: 0, password: '' } }),
    ).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    await expect(openProxy({ display: join(directory, 'nothing') })).rejects.toMatchObject({
      code: 'DISPLAY_UNAVAILABLE',
    });
  });
});

describe('a console whose guest has another way in than its display', () => {
  /** A guest in virtual time, which has its input when the test says so. */
  class TickingGuest implements InputInjector {
    readonly got: InputEvent[] = [];
    readonly #waiting: { readonly event: InputEvent; readonly arrived: (atMs: number) => void }[] =
      [];

    translate(event: InputEvent): InputEvent | undefined {
      return event.kind === 'clipboard' ? undefined : event;
    }

    inject(event: InputEvent): Promise<number> {
      return new Promise((arrived) => this.#waiting.push({ event, arrived }));
    }

    tick(atMs: number): void {
      for (const { event, arrived } of this.#waiting.splice(0)) {
        this.got.push(event);
        arrived(atMs);
      }
    }

    get waiting(): number {
      return this.#waiting.length;
    }
  }

  async function until(condition: () => boolean): Promise<void> {
    const deadline = performance.now() + 10_000;
    while (!condition()) {
      if (performance.now() > deadline) throw new Error('it did not happen');
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  }

  test('records keys at the times at which the guest had them, without anchors, and shows none to the display', async () => {
    const guest = new TickingGuest();
    const proxy = await openProxy({ injector: guest });
    const viewer = await view();
    viewer.press('Return');
    await until(() => guest.waiting === 2);
    expect(tape.inputs).toEqual([]);
    guest.tick(120);
    await until(() => tape.inputs.length === 2);
    expect(tape.inputs.map(({ atMs, anchor }) => [atMs, anchor])).toEqual([
      [120, undefined],
      [120, undefined],
    ]);
    expect(display.inputs).toEqual([]);
    await proxy.endSession();
    expect(tape.end?.anchor).toBeUndefined();
  });

  test('holds input only when the guest has what was on its way, releases included', async () => {
    const guest = new TickingGuest();
    const proxy = await openProxy({ injector: guest });
    const viewer = await view();
    viewer.key(0x61, true);
    await until(() => guest.waiting === 1);
    const held = proxy.holdInput();
    await until(() => guest.waiting === 2);
    guest.tick(50);
    await held;
    expect(tape.events).toMatchObject([
      { kind: 'key', down: true },
      { kind: 'key', down: false },
    ]);
  });

  test('tells the user once what such a guest cannot have', async () => {
    const guest = new TickingGuest();
    await openProxy({ injector: guest });
    const viewer = await view();
    for (let i = 0; i < 3; i++)
      viewer.send({ kind: 'clipboard', extended: false, data: new Uint8Array([0x61]) });
    viewer.key(0x61, true);
    await until(() => guest.waiting === 1);
    expect(warnings.map(({ code }) => code)).toEqual(['RFB_UNSUPPORTED']);
    guest.tick(10);
  });
});
