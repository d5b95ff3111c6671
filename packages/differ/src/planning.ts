import { indexTables } from './content-index.js';
import { CLASS_SAME, CLASS_UNKNOWN, PAGE_CLASSES, plannedPages } from './counts.js';
import { DifferError } from './errors.js';
import { pageCount, type Space, type State } from './image.js';
import type { FingerprintKey } from './native.js';
import {
  batchOptions,
  PAGES_PER_BATCH,
  type ChangedPages,
  type OperationOptions,
} from './operation.js';
import { expandRuns } from './page-runs.js';
import { NOT_KNOWN, PLACE_BITS } from './questions.js';
import { ResiduePlan } from './residue-plan.js';
import type { WorkerPool } from './worker-pool.js';

const HINTS_PER_ENTRY = 2;
const PAGES_PER_SIMILARITY_BATCH = 2048;

export interface PlanOptions extends OperationOptions {
  base: State;
  target: State;
  changed: ChangedPages;
  indexPath: string;
  questionBits?: number;
  /** Whether to look for base pages that resemble unexplained ones; default true. */
  similarity?: boolean;
  /** Whether to look for pages that are equal to each other; default true. */
  twins?: boolean;
}

/** Sorts the changed pages by what explains them: see {@link Differ.planResidue}. */
export async function planResidue(
  pool: WorkerPool,
  key: FingerprintKey,
  o: PlanOptions,
): Promise<ResiduePlan> {
  const { base, target } = o;
  for (const space of ['ram', 'disk'] as const) {
    if (base[space].sizeBytes !== target[space].sizeBytes) {
      throw new DifferError(
        'SIZE_MISMATCH',
        `The ${space} of the two states differs in size. Only states of one machine have a residue; seed the other.`,
        { context: { base: base[space].sizeBytes, target: target[space].sizeBytes } },
      );
    }
  }
  const candidates = joinWords([
    expandRuns('ram', o.changed.ram, pageCount(target.ram)),
    expandRuns('disk', o.changed.disk, pageCount(target.disk)),
  ]);
  const pageTables = await indexTables(o.indexPath, 'pages');
  const parts = await pool.ranges(
    candidates.length,
    PAGES_PER_BATCH,
    (first, count) =>
      pool.kernel(
        'classifyPages',
        key,
        base,
        target,
        pageTables,
        candidates.slice(first, first + count),
      ),
    batchOptions(o, candidates.length),
  );
  const classes = Buffer.concat(parts.map((part) => part.classes));
  const counts = { ram: plannedPages(), disk: plannedPages() };
  const kept: number[] = [];
  classes.forEach((kind, i) => {
    const space: Space = ((candidates[i] ?? 0n) & 1n) === 0n ? 'ram' : 'disk';
    if (kind === CLASS_SAME) counts[space].same++;
    else kept.push(i);
  });
  const sources = joinWords(parts.map((part) => part.sources));
  const fingerprints = joinWords(parts.map((part) => part.fingerprints));
  const pick = (words: BigUint64Array): BigUint64Array =>
    BigUint64Array.from(kept, (i) => words[i] ?? 0n);
  const pages = pick(candidates);
  const entryFingerprints = pick(fingerprints);
  o.signal?.throwIfAborted();
  const found = {
    classes: Uint8Array.from(kept, (i) => classes[i] ?? 0),
    sources: pick(sources),
  };
  const resolved =
    o.twins === false
      ? found
      : await pool.kernel(
          'resolveTwins',
          target,
          pages,
          found.classes,
          found.sources,
          entryFingerprints,
        );
  resolved.classes.forEach((kind, i) => {
    const space: Space = ((pages[i] ?? 0n) & 1n) === 0n ? 'ram' : 'disk';
    const name = PAGE_CLASSES[kind];
    if (name !== undefined) counts[space][name]++;
  });
  const hints = await findHints(pool, key, o, pages, resolved.classes);
  const asked = entryFingerprints.filter((_, i) => resolved.classes[i] === CLASS_UNKNOWN);
  const places = pages.filter((_, i) => resolved.classes[i] === CLASS_UNKNOWN);
  const bits = o.questionBits ?? PLACE_BITS;
  const questions = await pool.kernel(
    'encodeQuestions',
    key,
    places,
    new Uint8Array(0),
    asked,
    bits,
  );
  return new ResiduePlan({
    ...{ base, target, counts, questions, key },
    arrays: { pages, ...resolved, hints },
    fingerprints: asked,
  });
}

/** Up to two base pages that each unexplained entry resembles, best first. */
async function findHints(
  pool: WorkerPool,
  key: FingerprintKey,
  o: PlanOptions,
  pages: BigUint64Array,
  classes: Uint8Array,
): Promise<BigUint64Array> {
  const hints = new BigUint64Array(pages.length * HINTS_PER_ENTRY).fill(NOT_KNOWN);
  const unknown = Array.from(pages.keys()).filter((i) => classes[i] === CLASS_UNKNOWN);
  const featureTables = o.similarity === false ? [] : await indexTables(o.indexPath, 'features');
  if (unknown.length === 0 || featureTables.length === 0) return hints;
  const searched = BigUint64Array.from(unknown, (i) => pages[i] ?? 0n);
  const parts = await pool.ranges(
    searched.length,
    PAGES_PER_SIMILARITY_BATCH,
    (first, count) =>
      pool.kernel(
        'findSimilar',
        key,
        o.base,
        o.target,
        featureTables,
        searched.slice(first, first + count),
      ),
    { signal: o.signal },
  );
  joinWords(parts).forEach((location, i) => {
    const entry = unknown[Math.floor(i / HINTS_PER_ENTRY)] ?? 0;
    hints[entry * HINTS_PER_ENTRY + (i % HINTS_PER_ENTRY)] = location;
  });
  return hints;
}

function joinWords(parts: readonly BigUint64Array[]): BigUint64Array {
  const out = new BigUint64Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
