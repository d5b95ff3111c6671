import { type FileHandle, open } from 'node:fs/promises';

import { RepriseError } from '../errors.js';

import {
  type InputLogHeader,
  inputLimits,
  type InputSink,
  type SessionEnd,
  type SessionMark,
  type TimedInput,
} from './input-event.js';
import { encodeLogHeader, RecordWriter } from './record-writer.js';
import { createFileHeader, FrameCipher, type FrameKind, frameKind } from './sealed-frames.js';

/** Whichever comes first: what a `kill -9` may cost. */
const FLUSH_RECORDS = 64;
const FLUSH_MS = 1000;
/** A record is at most a clipboard and its anchor: frames stay within the format's limit. */
const FLUSH_BYTES = inputLimits.frameBytes / 4;
const FILE_MODE = 0o600;

/**
 * Writes a sealed input log while the session runs. record() never waits; frames are written one after the other, at most 1 s or 64 records
 * late, or as soon as somebody waits for written(). After a write failed, record(), flush() and finish() throw INPUT_LOG_WRITE_FAILED.
 */
export class InputLogWriter implements InputSink, AsyncDisposable {
  readonly path: string;
  readonly #file: FileHandle;
  readonly #cipher: FrameCipher;
  readonly #records: RecordWriter;
  #frames = 1;
  #pending = 0;
  #timer: NodeJS.Timeout | undefined;
  #nextCut: Promise<void> | undefined;
  #writing: Promise<void> = Promise.resolve();
  #failure: RepriseError | undefined;
  #closed: Promise<void> | undefined;
  #finished = false;

  private constructor(path: string, file: FileHandle, cipher: FrameCipher, header: InputLogHeader) {
    this.path = path;
    this.#file = file;
    this.#cipher = cipher;
    this.#records = new RecordWriter(header);
  }

  /**
   * Creates the file, which must not exist, with mode 0600.
   * @param secret the VM's secret, 32 bytes
   */
  static async create(
    path: string,
    secret: Uint8Array,
    header: InputLogHeader,
  ): Promise<InputLogWriter> {
    let file: FileHandle | undefined;
    try {
      file = await open(path, 'wx', FILE_MODE);
      const fileHeader = createFileHeader();
      const cipher = new FrameCipher(secret, fileHeader);
      const first = cipher.seal(0, frameKind.header, encodeLogHeader(header));
      await file.appendFile(Buffer.concat([fileHeader, first]));
      return new InputLogWriter(path, file, cipher, header);
    } catch (cause) {
      await file?.close();
      throw writeFailed(path, cause);
    }
  }

  record(input: TimedInput): void {
    this.#refuseIfUnable();
    this.#records.input(input);
    this.#recorded();
  }

  /** A frame that reached the guest; at most 65,535 bytes. Only in a log in virtual time. */
  recordFrame(atMs: number, bytes: Uint8Array): void {
    this.#refuseIfUnable();
    this.#records.frame(atMs, bytes);
    this.#recorded();
  }

  /** Frames that reach the guest from now on are not recorded; none may be after this. */
  recordFramesMissing(atMs: number): void {
    this.#refuseIfUnable();
    this.#records.framesMissing(atMs);
    this.#recorded();
  }

  /** What the session has come to. Only in a log with `markEveryMs`. */
  recordMark(mark: SessionMark): void {
    this.#refuseIfUnable();
    this.#records.mark(mark);
    this.#recorded();
  }

  #recorded(): void {
    this.#pending++;
    if (this.#pending >= FLUSH_RECORDS || this.#records.length >= FLUSH_BYTES)
      this.#cut(frameKind.records);
    else
      this.#timer ??= setTimeout(() => {
        this.#cut(frameKind.records);
      }, FLUSH_MS).unref();
  }

  /**
   * Resolves when everything recorded so far is in the file: what a `kill -9` of this process leaves. Whatever else is
   * recorded in this turn of the event loop shares the frame.
   */
  written(): Promise<void> {
    this.#nextCut ??= new Promise<void>((resolve, reject) => {
      setImmediate(() => {
        this.#nextCut = undefined;
        this.flush().then(resolve, reject);
      });
    });
    return this.#nextCut;
  }

  /** Resolves when everything recorded so far is in the file, by a frame of its own. */
  async flush(): Promise<void> {
    this.#refuseIfUnable();
    this.#cut(frameKind.records);
    await this.#writing;
    this.#refuseIfUnable();
  }

  /** Writes the end of the session and the final frame, makes all of it durable, and closes the file. */
  async finish(end: SessionEnd): Promise<void> {
    this.#refuseIfUnable();
    this.#finished = true;
    this.#records.end(end);
    this.#pending++;
    this.#cut(frameKind.final);
    await this.#writing;
    if (this.#failure === undefined) await this.#file.datasync().catch(this.#fail);
    await this.close();
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Flushes what is pending and closes the file. Without finish() before, the log reads as not complete. Idempotent; never throws. */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #close(): Promise<void> {
    if (this.#failure === undefined) this.#cut(frameKind.records);
    this.#finished = true;
    await this.#writing;
    this.#cipher.destroy();
    await this.#file.close().catch(this.#fail);
  }

  #cut(kind: FrameKind): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#pending === 0) return;
    this.#pending = 0;
    const frame = this.#cipher.seal(this.#frames++, kind, this.#records.drain());
    this.#writing = this.#writing.then(async () => {
      // A frame after a lost one could never be read.
      if (this.#failure === undefined) await this.#file.appendFile(frame).catch(this.#fail);
    });
  }

  readonly #fail = (cause: unknown): void => {
    this.#failure ??= writeFailed(this.path, cause);
  };

  #refuseIfUnable(): void {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#finished) throw writeFailed(this.path, new Error('the log is finished'));
  }
}

function writeFailed(path: string, cause: unknown): RepriseError {
  return new RepriseError(
    'INPUT_LOG_WRITE_FAILED',
    `The input log ${path} cannot be written. Check the space and the permissions of the store.`,
    { context: { path }, cause },
  );
}
