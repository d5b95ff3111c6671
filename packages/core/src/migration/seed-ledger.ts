import { readFile, rename, writeFile } from 'node:fs/promises';

import { z } from 'zod';

const schema = z.record(z.string(), z.int().min(0));
const SAVE_EVERY_BYTES = 16 * 1024 * 1024;

/**
 * How far each part of a seed has come, so that an interrupted one goes on there. It need not survive a
 * power loss: what it claims is proved at the end.
 */
export class SeedLedger {
  readonly #path: string;
  readonly #offsets: Map<string, number>;
  #unsaved = 0;

  private constructor(path: string, offsets: Map<string, number>) {
    this.#path = path;
    this.#offsets = offsets;
  }

  /** One that cannot be read starts over. */
  static async open(path: string): Promise<SeedLedger> {
    const found = await readFile(path, 'utf8').then(
      (text) => schema.safeParse(parse(text)),
      () => undefined,
    );
    return new SeedLedger(path, new Map(found?.success === true ? Object.entries(found.data) : []));
  }

  offsetOf(part: string): number {
    return this.#offsets.get(part) ?? 0;
  }

  async advance(part: string, offset: number): Promise<void> {
    this.#unsaved += offset - this.offsetOf(part);
    this.#offsets.set(part, offset);
    if (this.#unsaved >= SAVE_EVERY_BYTES) await this.save();
  }

  async save(): Promise<void> {
    this.#unsaved = 0;
    const temporary = `${this.#path}.new`;
    await writeFile(temporary, JSON.stringify(Object.fromEntries(this.#offsets)), { mode: 0o600 });
    await rename(temporary, this.#path);
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
