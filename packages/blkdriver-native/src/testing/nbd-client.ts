import { once } from 'node:events';
import { connect } from 'node:net';
import type { Socket } from 'node:net';

const requestMagic = 0x25609513;
const optionMagic = 0x49484156454f5054n;
const replyBytes = 16;

interface Pending {
  resolve: () => void;
  reject: (error: Error) => void;
}

/**
 * A small NBD client that keeps several writes in flight and knows exactly which
 * were acknowledged: what an oracle needs, and stock clients do not tell.
 */
export class NbdClient {
  readonly #socket: Socket;
  readonly #pending = new Map<bigint, Pending>();
  #next = 1n;
  #input: Buffer = Buffer.alloc(0);

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (data) => {
      this.#receive(data);
    });
    const fail = (): void => {
      for (const { reject } of this.#pending.values()) reject(new Error('disconnected'));
      this.#pending.clear();
    };
    socket.on('close', fail);
    socket.on('error', fail);
  }

  static async connect(socketPath: string): Promise<NbdClient> {
    const socket = connect(socketPath);
    const closed = new AbortController();
    socket.once('close', () => {
      closed.abort();
    });
    await once(socket, 'connect');
    const hello = Buffer.alloc(4 + 16 + 4);
    hello.writeUInt32BE(3, 0); // fixed newstyle, no zeroes
    hello.writeBigUInt64BE(optionMagic, 4);
    hello.writeUInt32BE(1, 12); // EXPORT_NAME
    hello.writeUInt32BE(4, 16);
    hello.write('disk', 20);
    socket.write(hello);
    let greeting = Buffer.alloc(0);
    while (greeting.length < 18 + 10) {
      const [data] = (await once(socket, 'data', closed)) as [Buffer<ArrayBuffer>];
      greeting = Buffer.concat([greeting, data]);
    }
    return new NbdClient(socket);
  }

  /** Resolves when the server has acknowledged it. */
  write(offsetBytes: number, data: Buffer): Promise<void> {
    return this.#request(1, offsetBytes, data.length, data);
  }

  flush(): Promise<void> {
    return this.#request(3, 0, 0);
  }

  trim(offsetBytes: number, lengthBytes: number): Promise<void> {
    return this.#request(4, offsetBytes, lengthBytes);
  }

  close(): void {
    this.#socket.destroy();
  }

  #request(command: number, offset: number, length: number, payload?: Buffer): Promise<void> {
    const cookie = this.#next++;
    const header = Buffer.alloc(28);
    header.writeUInt32BE(requestMagic, 0);
    header.writeUInt16BE(command, 6);
    header.writeBigUInt64BE(cookie, 8);
    header.writeBigUInt64BE(BigInt(offset), 16);
    header.writeUInt32BE(length, 24);
    return new Promise((resolve, reject) => {
      if (this.#socket.destroyed) {
        reject(new Error('disconnected'));
        return;
      }
      this.#pending.set(cookie, { resolve, reject });
      this.#socket.write(payload === undefined ? header : Buffer.concat([header, payload]));
    });
  }

  #receive(data: Buffer): void {
    this.#input = Buffer.concat([this.#input, data]);
    while (this.#input.length >= replyBytes) {
      const error = this.#input.readUInt32BE(4);
      const cookie = this.#input.readBigUInt64BE(8);
      this.#input = this.#input.subarray(replyBytes);
      const pending = this.#pending.get(cookie);
      this.#pending.delete(cookie);
      if (error === 0) pending?.resolve();
      else pending?.reject(new Error(`NBD error ${error}`));
    }
  }
}
