import { createScratchDirectory } from '../fixture/index.js';
import { measureReprise } from '../measure/reprise.js';
import type { Session } from '../session/index.js';

import { keptResult } from './kept-results.js';
import type { Roots } from './laboratory.js';
import type { MethodBytes } from './method-bytes.js';
import type { Recording } from './recording.js';

/** Of the link, each way; bytes do not depend on it, only how long the replay races. */
const BYTES_PER_SECOND = 625_000;
/** Raise it when how migrations are measured changes. */
const VERSION = 1;

export interface LiveMethod {
  readonly bytes: MethodBytes;
  readonly seconds: number;
  /** How the changed pages travelled. */
  readonly pages: Readonly<Record<'ram' | 'disk', Readonly<Record<string, number>>>>;
  /** Where both fronts stood meanwhile. */
  readonly race: readonly { ms: number; shipped: number; replayed: number; blocks: number }[];
}

export interface LiveOptions {
  readonly session: Session;
  readonly recording: Recording;
  readonly roots: Roots;
  /** Of the packages that migrate. */
  readonly build: string;
  readonly directory: string;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress: (text: string) => void;
}

/** A real migration of what the session left; another build measures it anew. */
export function measureMigration(
  strategy: 'ship' | 'replay',
  options: LiveOptions,
): Promise<LiveMethod> {
  const { session, recording, roots, build, onProgress } = options;
  return keptResult(
    ['migration', VERSION, strategy, BYTES_PER_SECOND, build, roots.base, roots.squeezed],
    async () => {
      onProgress(`migrating: ${strategy}`);
      await using scratch = await createScratchDirectory(options.directory, 'migration');
      const pair = { name: session.guest, a: recording.a, b: recording.b, root: roots.base };
      const { bytes, seconds, report } = await measureReprise(pair, {
        ...{ signal: options.signal, onProgress, directory: scratch.path },
        ...{ strategy, bytesPerSecond: BYTES_PER_SECOND },
      });
      const of = (part: keyof typeof bytes.byClass) =>
        bytes.byClass[part].sent + bytes.byClass[part].received;
      return {
        bytes: {
          ...{ total: bytes.total, sent: bytes.sent, received: bytes.received },
          ...{ ram: of('ram'), disk: of('disk'), device: of('device') },
          ...{ log: of('log'), digests: of('digests'), control: of('control') },
        },
        seconds,
        pages: report?.pages ?? { ram: {}, disk: {} },
        race: report?.race ?? [],
      };
    },
  );
}
