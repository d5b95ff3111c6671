import { join } from 'node:path';

import { runsBelow } from '@reprise/core';
import { compress, type Image, type PageRuns, type ResiduePlan, type State } from '@reprise/differ';

import type { Laboratory } from './laboratory.js';
import { NOWHERE, positionBytes, UNKNOWN } from './positions.js';

/** Bytes of the residue, device state included, with one technique left out at a time. */
export interface Ablation {
  readonly ship: Readonly<Record<string, number>>;
  /** Questions and answers included; null without a replay. */
  readonly replay: Readonly<Record<string, number>>;
}

const EMPTY: Image = { sizeBytes: 0n, files: [], extents: new BigUint64Array(0) };
const NO_RUNS: PageRuns = new BigUint64Array(0);
const ZSTD_LEVEL = 18;
/** The device state against the base's in one piece, instead of its pages among the memory's. */
const NO_DEVICE_PAGES = 'no device pages';

/** What each technique is worth, without and with a replay. */
export async function ablate(
  lab: Laboratory,
  cancel: Pick<EncodeChoice, 'signal'>,
): Promise<Ablation> {
  const encodedBytes = (plan: ResiduePlan, options: EncodeChoice = {}) =>
    bytesOf(plan, { ...options, ...cancel });
  const variants = await openVariants(lab);
  await using _plans = variants;
  const { delta, whole, alone } = await lab.deviceBytes();
  const exchange = await lab.exchange();
  const replayed = await lab.replay();
  const plan = await lab.plan();
  const base = (await lab.change()).base;
  /** Every variant asks its own questions of the same replay. */
  const withReplay = async (one: ResiduePlan, secondRound = true): Promise<number> => {
    const asked = { base, replay: replayed.state, changed: replayed.changed };
    const first = await lab.differ.answerQuestions({ questions: one.questions, ...asked });
    const known = [first.bits];
    let bytes = one.questions.length + first.bits.length;
    const questions = secondRound ? await one.moreQuestions(first.bits) : undefined;
    if (questions !== undefined) {
      const more = await lab.differ.answerQuestions({ questions, ...asked, earlier: first });
      known.push(more.bits);
      bytes += questions.length + more.bits.length;
    }
    return bytes + (await encodedBytes(one, { known })) + delta;
  };
  const everything = await encodedBytes(plan);
  const everythingReplayed = await withReplay(plan);
  const runs = await positionBytes(plan, exchange.answers);
  const pages = await positionBytes(plan, exchange.answers, { runs: false });
  const ship: Record<string, number> = { everything: everything + delta };
  const replay: Record<string, number> = { everything: everythingReplayed };
  for (const [name, plans] of Object.entries(variants.plans)) {
    const device = name === NO_DEVICE_PAGES ? whole : delta;
    ship[name] = device;
    replay[name] = device;
    for (const one of plans) {
      ship[name] += await encodedBytes(one);
      replay[name] += (await withReplay(one)) - delta;
    }
  }
  ship['zstd instead of context mixing'] =
    (await encodedBytes(plan, { level: ZSTD_LEVEL })) + delta;
  replay['zstd instead of context mixing'] =
    exchange.bytes +
    (await encodedBytes(plan, { level: ZSTD_LEVEL, known: exchange.rounds })) +
    delta;
  ship['no squeeze'] = (await encodedBytes(await lab.plainPlan())) + delta;
  for (const bytes of [ship, replay]) {
    bytes['no device delta'] = (bytes[NO_DEVICE_PAGES] ?? 0) - whole + alone;
  }
  ship['no run coding (computed)'] = everything + delta + pages - runs;
  replay['no run coding (computed)'] = everythingReplayed + pages - runs;
  replay['no second round'] = await withReplay(plan, false);
  replay['nothing learnt from answers'] =
    exchange.bytes + delta + (await withoutAnswered(lab, cancel));
  return { ship, replay };
}

type EncodeChoice = NonNullable<Parameters<ResiduePlan['encode']>[0]>;

async function bytesOf(plan: ResiduePlan, options: EncodeChoice): Promise<number> {
  let total = 0;
  for await (const frame of plan.encode(options)) total += frame.bytes.length;
  return total;
}

/** Plans that lack something, under the name of what they lack; some in two parts. */
async function openVariants(lab: Laboratory) {
  const change = await lab.change();
  const indexPath = await lab.indexPath();
  const opened: ResiduePlan[] = [];
  const planned = async (options: Parameters<Laboratory['differ']['planResidue']>[0]) => {
    const plan = await lab.differ.planResidue(options);
    opened.push(plan);
    return plan;
  };
  const indexOf = async (state: State, name: string) => {
    const path = join(`${indexPath}-${name}`);
    await lab.differ.buildIndex(state, path);
    return path;
  };
  const { base, target, changed } = change;
  const only = (space: 'ram' | 'disk', state: State): State =>
    space === 'ram' ? { ram: state.ram, disk: EMPTY } : { ram: EMPTY, disk: state.disk };
  const apart = async (space: 'ram' | 'disk') =>
    planned({
      base: only(space, base),
      target: only(space, target),
      changed: { ram: NO_RUNS, disk: NO_RUNS, [space]: changed[space] },
      indexPath: await indexOf(only(space, base), space),
    });
  const nothing = await indexOf({ ram: EMPTY, disk: EMPTY }, 'empty');
  const plans: Record<string, readonly ResiduePlan[]> = {
    'same position only': [
      await planned({ ...change, indexPath: nothing, similarity: false, twins: false }),
    ],
    'no RAM against disk': [await apart('ram'), await apart('disk')],
    [NO_DEVICE_PAGES]: [
      await planned({
        ...{ ...change, indexPath },
        changed: { ram: runsBelow(changed.ram, change.memoryPages), disk: changed.disk },
      }),
    ],
    'no twins': [await planned({ ...change, indexPath, twins: false })],
    'no look-alikes': [await planned({ ...change, indexPath, similarity: false })],
  };
  return {
    plans,
    [Symbol.asyncDispose]: async () => {
      for (const plan of opened) await plan.close();
    },
  };
}

/** The residue without the pages that the replay is known to hold: coded as if their content were not known either. */
async function withoutAnswered(
  lab: Laboratory,
  cancel: Pick<EncodeChoice, 'signal'>,
): Promise<number> {
  const plan = await lab.plan();
  const { answers } = await lab.exchange();
  const change = await lab.change();
  const { classes, pages } = plan.entries;
  const left: Record<'ram' | 'disk', bigint[]> = { ram: [], disk: [] };
  /** Gaps between the pages that are told to be the replay's. */
  const answered: number[] = [];
  let last = 0n;
  let question = 0;
  for (const [entry, kind] of classes.entries()) {
    const location = kind === UNKNOWN ? answers.locations[question++] : undefined;
    const packed = pages[entry] ?? 0n;
    if (location !== undefined && location !== NOWHERE) {
      answered.push(Number(packed - last));
      last = packed;
    } else left[(packed & 1n) === 0n ? 'ram' : 'disk'].push(packed >> 1n, 1n);
  }
  const changed = { ram: BigUint64Array.from(left.ram), disk: BigUint64Array.from(left.disk) };
  await using rest = await lab.differ.planResidue({
    ...change,
    changed,
    indexPath: await lab.indexPath(),
  });
  const records = Uint8Array.from(answered.flatMap(varint));
  return (await bytesOf(rest, cancel)) + (await compress(records, { level: 19 })).length;
}

function varint(value: number): number[] {
  return value < 128 ? [value] : [(value % 128) + 128, ...varint(Math.floor(value / 128))];
}
