import { createRunDirectory } from '../fixture/index.js';
import { hostFacts, type HostFacts } from '../measure/host-facts.js';

import { bytesTable } from './bytes-table.js';
import { measureSession, type SessionBytes } from './session-bytes.js';
import { bytesSessions } from './sessions.js';

export interface BytesBenchmarkOptions {
  /** Names in {@link bytesSessions}. */
  readonly sessions: readonly string[];
  readonly quick: boolean;
  readonly signal?: AbortSignal;
  readonly onProgress: (text: string) => void;
  readonly onTable: (text: string) => void;
}

export interface BytesBenchmarkResult {
  readonly version: 1;
  readonly startedAt: string;
  readonly host: HostFacts;
  readonly sessions: readonly SessionBytes[];
}

/** Every method on every session, one after the other. Recordings stay in the cache. */
export async function runBytesBenchmark(
  options: BytesBenchmarkOptions,
): Promise<BytesBenchmarkResult> {
  const { signal, onProgress, onTable, quick } = options;
  const startedAt = new Date().toISOString();
  const host = await hostFacts();
  await using directory = await createRunDirectory();
  const sessions: SessionBytes[] = [];
  for (const name of options.sessions) {
    const session = bytesSessions[name];
    if (session === undefined) throw new Error(`There is no session '${name}'.`);
    const measured = await measureSession(session, name, {
      ...{ signal, quick, directory: directory.path },
      onProgress: (text) => {
        onProgress(`${name}: ${text}`);
      },
    });
    onTable(bytesTable(measured));
    sessions.push(measured);
  }
  return { version: 1, startedAt, host, sessions };
}
