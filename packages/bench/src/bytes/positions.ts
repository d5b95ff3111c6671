import { compress, PAGE_CLASSES, type Answers, type ResiduePlan } from '@reprise/differ';

export const UNKNOWN = PAGE_CLASSES.indexOf('unknown');
const BASE = PAGE_CLASSES.indexOf('base');
const TWIN = PAGE_CLASSES.indexOf('twin');
/** Of an answer: the replay does not hold it. */
export const NOWHERE = 2n ** 64n - 1n;
const REPLAYED = PAGE_CLASSES.length;

/** What tells where each page comes from: one record a run (or a page), through zstd -19. */
export async function positionBytes(
  plan: ResiduePlan,
  answers: Answers | undefined,
  options: { readonly runs: boolean } = { runs: true },
): Promise<number> {
  const { classes, pages, sources } = plan.entries;
  const records: number[] = [];
  let last = { page: 0n, kind: -1, source: 0n };
  let question = 0;
  for (const [i, packed] of pages.entries()) {
    const asked = classes[i] === UNKNOWN ? answers?.locations[question++] : undefined;
    const kind = asked !== undefined && asked !== NOWHERE ? REPLAYED : (classes[i] ?? 0);
    const source = sources[i] ?? 0n;
    const goesOn =
      options.runs &&
      kind === last.kind &&
      packed === last.page + 2n &&
      (kind !== BASE || source === last.source + 2n);
    if (!goesOn) {
      pushVarint(records, packed - last.page);
      records.push(kind);
      if (kind === BASE || kind === TWIN) pushVarint(records, signed(source - last.source));
    }
    last = { page: packed, kind, source: kind === BASE || kind === TWIN ? source : last.source };
  }
  return (await compress(Uint8Array.from(records), { level: 19 })).length;
}

function signed(value: bigint): bigint {
  return value < 0n ? -value * 2n - 1n : value * 2n;
}

function pushVarint(out: number[], value: bigint): void {
  let rest = value < 0n ? signed(value) : value;
  for (; rest > 127n; rest >>= 7n) out.push(Number(rest & 127n) | 128);
  out.push(Number(rest));
}
