import { readFile } from 'node:fs/promises';

import { writeWhole } from '../bytes/kept-results.js';

/** What a benchmark that goes on where it was has in its `--json` file. */
export interface KeptResult {
  readonly version: number;
}

/** What an earlier command kept; undefined: nothing yet. Throws for a file of something else. */
export async function readResult<T extends KeptResult>(
  file: string | undefined,
  version: T['version'],
): Promise<Partial<T> | undefined> {
  if (file === undefined) return undefined;
  const text = await readFile(file, 'utf8').catch(() => '');
  if (text === '') return undefined;
  const earlier = JSON.parse(text) as Partial<T>;
  if (earlier.version === version) return earlier;
  throw new Error(`${file} holds something else. Give --json another file, or move it away.`);
}

export async function keepResult(file: string | undefined, result: KeptResult): Promise<void> {
  if (file !== undefined) await writeWhole(file, `${JSON.stringify(result, undefined, 2)}\n`);
}
