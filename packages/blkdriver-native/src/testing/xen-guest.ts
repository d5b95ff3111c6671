import { execFile } from 'node:child_process';
import { constants, openSync, readFileSync, writeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { ReadStream } from 'node:tty';
import { promisify } from 'node:util';

const execute = promisify(execFile);

/** Runs a program of dom0's and gives what it printed. */
export async function tool(
  program: string,
  args: readonly string[],
  timeoutMs = 120_000,
): Promise<string> {
  const { stdout } = await execute(program, args, { timeout: timeoutMs, killSignal: 'SIGKILL' });
  return stdout;
}

/** Asks again and again until there is an answer. */
export async function until<T>(
  what: string,
  ask: () => T | undefined | Promise<T | undefined>,
  timeoutMs = 60_000,
): Promise<T> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (Date.now() > deadline) throw new Error(`gave up waiting for ${what}`);
    await sleep(50);
  }
}

/** A PV guest whose console runs what it is sent, line by line. */
export class XenGuest {
  readonly name: string;
  #domainId = 0;
  #console: ReadStream | undefined;
  #consoleFd = -1;
  #output = '';
  #commands = 0;

  constructor(name: string) {
    this.name = name;
  }

  get domainId(): number {
    return this.#domainId;
  }

  /** Finds the domain and its console, which both change when it is restored. */
  async attach(): Promise<void> {
    this.detach();
    this.#domainId = Number(await tool('xl', ['domid', this.name]));
    const path = `/local/domain/${this.#domainId}/console/tty`;
    const tty = await until('the console', async () => {
      const text = await tool('xenstore-read', [path]).catch(() => '');
      return text.trim() === '' ? undefined : text.trim();
    });
    this.#consoleFd = openSync(tty, constants.O_RDWR | constants.O_NOCTTY | constants.O_NONBLOCK);
    this.#console = new ReadStream(this.#consoleFd);
    this.#console.setRawMode(true);
    this.#output = '';
    this.#console.setEncoding('utf8');
    this.#console.on('data', (text: string) => (this.#output += text));
    // The console goes with its domain.
    this.#console.on('error', () => undefined);
  }

  detach(): void {
    this.#console?.destroy();
    this.#console = undefined;
  }

  /** Resolves when the guest's init listens. */
  async ready(): Promise<void> {
    const log = `/var/log/xen/console/guest-${this.name}.log`;
    await until(
      `${this.name} to boot`,
      () => {
        try {
          return readFileSync(log, 'utf8').includes('REPRISE-GUEST-READY') || undefined;
        } catch {
          return undefined; // xenconsoled makes it with the first line
        }
      },
      180_000,
    );
  }

  /** Has a command run and gives its output; throws unless it ends with 0. */
  async run(command: string, timeoutMs = 180_000): Promise<string> {
    // Split, so that an echo of the command is not taken for its end.
    const mark = `END${process.pid}N${++this.#commands}`;
    this.#output = '';
    await this.#write(`{ ${command} ; } 2>&1; echo "${mark.slice(0, 3)}""${mark.slice(3)}:$?:"\n`);
    const pattern = new RegExp(`${mark}:(\\d+):`);
    const match = await until(
      `'${command.slice(0, 60)}' in ${this.name}`,
      () => pattern.exec(this.#output) ?? undefined,
      timeoutMs,
    );
    const output = this.#output.slice(0, match.index).replaceAll('\r', '');
    if (match[1] !== '0') throw new Error(`'${command}' ended with ${match[1]}: ${output}`);
    return output;
  }

  /** Sends a command and does not wait. */
  async start(command: string): Promise<void> {
    await this.#write(`${command}\n`);
  }

  /** A console takes a page at a time. */
  async #write(text: string): Promise<void> {
    let rest = Buffer.from(text);
    while (rest.length > 0) {
      const piece = rest.subarray(0, 1024);
      const written = await until('the console to take more', () => {
        try {
          return writeSync(this.#consoleFd, piece);
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
          return undefined;
        }
      });
      rest = rest.subarray(written);
    }
  }
}
