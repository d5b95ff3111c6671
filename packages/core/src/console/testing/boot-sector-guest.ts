/** A real guest that starts in about a second: QEMU, its BIOS, and a boot sector that echoes what is typed. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rmdir, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import type { GuestProgress } from '../guest-progress.js';
import { type Frame, pixelWords } from '../frame.js';
import { RfbClient } from '../rfb-client.js';

/**
 * 80 x 25 text, a row of blocks; then for ever: read a key (int 16h), show it (int 10h teletype), a line feed after
 * Return. Control-A changes the display's size instead.
 */
// prettier-ignore
const echo = Buffer.from([
  0x31, 0xc0,             // xor ax, ax
  0x8e, 0xd8,             // mov ds, ax
  0x8e, 0xd0,             // mov ss, ax
  0xbc, 0x00, 0x7c,       // mov sp, 0x7c00
  0xb8, 0x03, 0x00,       // mov ax, 3
  0xcd, 0x10,             // int 10h: 80 x 25
  0xb8, 0xdb, 0x09,       // mov ax, 0x09db
  0xbb, 0x07, 0x00,       // mov bx, 7
  0xb9, 0x50, 0x00,       // mov cx, 80
  0xcd, 0x10,             // int 10h: a row of blocks
  0xb8, 0x0a, 0x0e,       // mov ax, 0x0e0a
  0xcd, 0x10,             // int 10h: line feed
  0xb4, 0x00,             // read: mov ah, 0
  0xcd, 0x16,             // int 16h
  0x3c, 0x01,             // cmp al, 1
  0x75, 0x07,             // jne show
  0xb8, 0x12, 0x00,       // mov ax, 0x12
  0xcd, 0x10,             // int 10h: 640 x 480
  0xeb, 0xf1,             // jmp read
  0xb4, 0x0e,             // show: mov ah, 0x0e
  0xbb, 0x07, 0x00,       // mov bx, 7
  0xcd, 0x10,             // int 10h
  0x3c, 0x0d,             // cmp al, 13
  0x75, 0xe6,             // jne read
  0xb0, 0x0a,             // mov al, 10
  0xcd, 0x10,             // int 10h
  0xeb, 0xe0,             // jmp read
]);

const CLOCK_TICKS_PER_SECOND = 100;
const TEXT_HEIGHT = 400;
const ROW_HEIGHT = 16;
/** A text cursor and nothing more. */
const CURSOR_PIXELS = 64;

/** The echo program has drawn its row of blocks, and nothing was typed yet. */
function isReady(frame: Frame): boolean {
  if (frame.height !== TEXT_HEIGHT) return false;
  const words = pixelWords(frame.pixels, frame.width * frame.height);
  const blocks = frame.width * ROW_HEIGHT;
  let dark = 0;
  let lit = 0;
  for (const [i, word] of words.entries()) {
    if (i < blocks && (word & 0xffffff) === 0) dark++;
    if (i >= blocks && (word & 0xffffff) !== 0) lit++;
  }
  return dark === 0 && lit <= CURSOR_PIXELS;
}

export class BootSectorGuest implements AsyncDisposable {
  readonly display: string;
  readonly directory: string;
  readonly #process: ChildProcess;

  private constructor(directory: string, process: ChildProcess) {
    this.directory = directory;
    this.display = join(directory, 'display');
    this.#process = process;
  }

  /** Resolves when the echo program has cleared the screen and waits for keys. */
  static async start(): Promise<BootSectorGuest> {
    const directory = await mkdtemp(join(tmpdir(), 'reprise-guest-'));
    const disk = join(directory, 'disk');
    const sector = Buffer.alloc(512);
    echo.copy(sector);
    sector.writeUInt16LE(0xaa55, 510);
    await writeFile(disk, sector);
    const process = spawn(
      'qemu-system-x86_64',
      [
        ['-accel', 'tcg'],
        ['-machine', 'pc'],
        ['-m', '8'],
        ['-nodefaults', '-no-user-config'],
        ['-vga', 'std'],
        ['-vnc', `unix:${join(directory, 'display')}`],
        ['-drive', `file=${disk},format=raw,if=ide,readonly=off`],
      ].flat(),
      { stdio: ['ignore', 'ignore', 'inherit'] },
    );
    const guest = new BootSectorGuest(directory, process);
    try {
      await guest.#booted();
      return guest;
    } catch (error) {
      await guest.close();
      throw error;
    }
  }

  /** CPU time of the whole process: what a supervisor would give. */
  readonly progress: GuestProgress = async () => {
    const stat = await readFile(`/proc/${this.#process.pid}/stat`, 'latin1');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return { cpuMs: ((Number(fields[11]) + Number(fields[12])) * 1000) / CLOCK_TICKS_PER_SECOND };
  };

  async close(): Promise<void> {
    if (this.#process.exitCode === null && this.#process.signalCode === null) {
      const exited = once(this.#process, 'exit');
      this.#process.kill('SIGKILL');
      await exited;
    }
    for (const name of await readdir(this.directory)) await unlink(join(this.directory, name));
    await rmdir(this.directory);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #booted(): Promise<void> {
    const end = performance.now() + 60_000;
    const client = await this.#connect();
    try {
      while (!isReady(await client.screenshot())) {
        if (performance.now() > end) throw new Error('the boot sector did not start within 60 s');
        await delay(100);
      }
    } finally {
      await client.close();
    }
  }

  async #connect(): Promise<RfbClient> {
    const end = performance.now() + 20_000;
    for (;;) {
      try {
        return await RfbClient.connect(this.display);
      } catch (error) {
        if (performance.now() > end || this.#process.exitCode !== null) throw error;
        await delay(50);
      }
    }
  }
}
