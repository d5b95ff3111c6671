import { createHash } from 'node:crypto';
import { open, readFile, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';

import type { z } from 'zod';

import { RepriseError } from '../errors.js';
import { isErrno, syncDirectory, writeFileAtomic } from './durable-file.js';

/**
 * An append-only journal of JSON lines, each on stable storage before append() returns, each with a checksum that
 * also covers the line before it. docs/formats/handoff.md describes the bytes. What a crash tore off the end was
 * never acknowledged and is cut off; any other damage is an error, never a shorter history.
 */

const MAX_LINE_BYTES = 64 * 1024;
const COMPACT_ABOVE_LINES = 512;
const KEEP_LINES = 128;

export interface JournalEntry<T> {
  readonly seq: number;
  /** ISO 8601, UTC. For people; nothing is decided by it. */
  readonly at: string;
  readonly record: T;
}

export class Journal<T extends Record<string, unknown>> implements AsyncDisposable {
  readonly path: string;
  #file: FileHandle;
  readonly #entries: JournalEntry<T>[];
  #sum: string;
  #state: 'open' | 'uncertain' | 'closed' = 'open';

  private constructor(path: string, file: FileHandle, content: Parsed<T>) {
    this.path = path;
    this.#file = file;
    this.#entries = content.entries;
    this.#sum = content.lastSum;
  }

  /**
   * Opens for appending; creates the file unless it is there. The caller excludes other writers.
   * Throws JOURNAL_CORRUPT for anything but a torn end.
   */
  static async open<T extends Record<string, unknown>>(
    path: string,
    schema: z.ZodType<T>,
  ): Promise<Journal<T>> {
    let content = await readAndParse(path, schema);
    if (content.entries.length > COMPACT_ABOVE_LINES) {
      await writeFileAtomic(path, render(content.entries.slice(-KEEP_LINES)).text);
      content = await readAndParse(path, schema);
    }
    const isNew = content.totalBytes === undefined;
    const file = await open(path, 'a', 0o600);
    try {
      if (content.totalBytes !== content.sizeBytes) {
        await file.truncate(content.sizeBytes);
        await file.sync();
      }
      if (isNew) await syncDirectory(dirname(path));
      return new Journal(path, file, content);
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** Reads without opening for writing; a torn end is left out. No file: no entries. */
  static async read<T extends Record<string, unknown>>(
    path: string,
    schema: z.ZodType<T>,
  ): Promise<readonly JournalEntry<T>[]> {
    return (await readAndParse(path, schema)).entries;
  }

  get entries(): readonly JournalEntry<T>[] {
    return this.#entries;
  }

  /**
   * Returns once the record is on stable storage. Throws JOURNAL_WRITE_FAILED when it is certainly not (nothing
   * happened), JOURNAL_UNCERTAIN when that cannot be said; the journal then refuses all further use.
   */
  async append(record: T): Promise<JournalEntry<T>> {
    if (this.#state === 'closed') throw new Error(`journal ${this.path} is closed`);
    if (this.#state === 'uncertain') throw this.#uncertain(undefined);
    const seq = (this.#entries.at(-1)?.seq ?? 0) + 1;
    const entry: JournalEntry<T> = { seq, at: new Date().toISOString(), record };
    const { line, sum } = renderLine(entry, this.#sum);
    const bytes = Buffer.from(line);
    if (bytes.length > MAX_LINE_BYTES) throw new Error(`a journal line of ${bytes.length} bytes`);
    try {
      let written = 0;
      while (written < bytes.length) {
        written += (await this.#file.write(bytes, written)).bytesWritten;
      }
      await this.#file.sync();
    } catch (cause) {
      await this.#takeBack(cause);
    }
    this.#sum = sum;
    this.#entries.push(entry);
    return entry;
  }

  async close(): Promise<void> {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    await this.#file.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /**
   * After a failed write or fsync nobody can tell what the disk holds (the kernel may drop the pages and report success the
   * next time). Putting a fresh file in place makes it certain: the record is not there.
   */
  async #takeBack(cause: unknown): Promise<never> {
    this.#state = 'uncertain';
    try {
      const { text, sum } = render(this.#entries);
      await writeFileAtomic(this.path, text);
      this.#sum = sum;
      await this.#file.close();
      this.#file = await open(this.path, 'a');
    } catch {
      throw this.#uncertain(cause);
    }
    this.#state = 'open';
    throw new RepriseError(
      'JOURNAL_WRITE_FAILED',
      `${this.path} could not be written; nothing was changed. Make room on the disk, or look at its health, and try again.`,
      { context: { path: this.path }, cause },
    );
  }

  #uncertain(cause: unknown): RepriseError {
    return new RepriseError(
      'JOURNAL_UNCERTAIN',
      `${this.path} could not be written, and it is not certain what the disk holds. Check the disk, then start again.`,
      { context: { path: this.path }, cause },
    );
  }
}

interface Parsed<T> {
  readonly entries: JournalEntry<T>[];
  readonly lastSum: string;
  /** Bytes up to the end of the last whole line. */
  readonly sizeBytes: number;
  /** Bytes of the file; undefined: there is no file. */
  readonly totalBytes: number | undefined;
}

async function readAndParse<T>(path: string, schema: z.ZodType<T>): Promise<Parsed<T>> {
  let bytes: Buffer;
  try {
    bytes = await readFile(path);
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error;
    return { entries: [], lastSum: '', sizeBytes: 0, totalBytes: undefined };
  }
  const entries: JournalEntry<T>[] = [];
  let lastSum = '';
  let start = 0;
  for (;;) {
    const end = bytes.indexOf(0x0a, start);
    if (end < 0) break;
    const line = bytes.toString('utf8', start, end);
    const parsed = parseLine(line, lastSum, schema);
    const previous = entries.at(-1);
    if (typeof parsed === 'string') throw corrupt(path, entries.length + 1, parsed);
    if (previous !== undefined && parsed.entry.seq !== previous.seq + 1) {
      throw corrupt(path, entries.length + 1, 'a line is missing before it');
    }
    entries.push(parsed.entry);
    lastSum = parsed.sum;
    start = end + 1;
  }
  return { entries, lastSum, sizeBytes: start, totalBytes: bytes.length };
}

function parseLine<T>(
  line: string,
  previousSum: string,
  schema: z.ZodType<T>,
): { entry: JournalEntry<T>; sum: string } | string {
  const tail = /,"sum":"([0-9a-f]{16})"\}$/.exec(line);
  if (tail === null) return 'it has no checksum';
  const body = `${line.slice(0, tail.index)}}`;
  const sum = checksum(previousSum, body);
  if (sum !== tail[1]) return 'its checksum does not match';
  const { seq, at, ...record } = JSON.parse(body) as Record<string, unknown>;
  if (typeof seq !== 'number' || !Number.isSafeInteger(seq) || seq < 1) return 'it has no number';
  if (typeof at !== 'string') return 'it has no time';
  const result = schema.safeParse(record);
  if (!result.success) return result.error.issues[0]?.message ?? 'it does not fit the schema';
  return { entry: { seq, at, record: result.data }, sum };
}

function renderLine(
  entry: JournalEntry<unknown>,
  previousSum: string,
): { line: string; sum: string } {
  const body = JSON.stringify({ seq: entry.seq, at: entry.at, ...(entry.record as object) });
  const sum = checksum(previousSum, body);
  return { line: `${body.slice(0, -1)},"sum":"${sum}"}\n`, sum };
}

function render(entries: readonly JournalEntry<unknown>[]): { text: string; sum: string } {
  let sum = '';
  let text = '';
  for (const entry of entries) {
    const rendered = renderLine(entry, sum);
    text += rendered.line;
    sum = rendered.sum;
  }
  return { text, sum };
}

function checksum(previousSum: string, body: string): string {
  return createHash('sha256').update(previousSum).update(body).digest('hex').slice(0, 16);
}

function corrupt(path: string, line: number, why: string): RepriseError {
  return new RepriseError(
    'JOURNAL_CORRUPT',
    `Line ${line} of ${path} is damaged: ${why}. Nothing is guessed from a damaged journal. Make sure that no other host runs this VM, then say so with "reprise force-take".`,
    { context: { path, line } },
  );
}
