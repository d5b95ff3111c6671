import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import {
  changeBetween,
  openStore,
  type Change,
  type Snapshot,
  type SnapshotStore,
} from '@reprise/core';
import { compress, Differ, type Answers, type ResiduePlan } from '@reprise/differ';

import {
  measureFullCopy,
  measureRsync,
  type StateFiles,
  type StateTraffic,
} from '../baseline/index.js';
import { createScratchDirectory, snapshotFiles } from '../fixture/index.js';
import { measureReprise } from '../measure/reprise.js';
import type { Session } from '../session/index.js';

import { measureOracles } from './oracle.js';
import { measureChunks, measurePatchFrom, measureXdelta3 } from './other-tools.js';
import { headOf, recordingOf, replayedState, type Recording } from './recording.js';
import { measureCloudlet, measurePaper2008 } from './research-pipelines.js';

/** Both directions together unless it says which. */
export interface MethodBytes {
  readonly total: number;
  readonly sent: number;
  readonly received: number;
  readonly ram: number;
  readonly disk: number;
  readonly device: number;
  readonly log: number;
  readonly digests: number;
  readonly control: number;
}

export interface OracleBytes {
  readonly total: number;
  readonly pages: number;
}

export interface SessionBytes {
  readonly name: string;
  readonly title: string;
  readonly changed: { readonly ramPages: number; readonly diskBlocks: number };
  readonly methods: Readonly<Record<string, MethodBytes>>;
  readonly oracle: OracleBytes;
  readonly fullOracle?: OracleBytes;
  /** Reprise without a replay, with one technique left out at a time: residue bytes. */
  readonly ablation: Readonly<Record<string, number>>;
}

export interface BytesOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress: (text: string) => void;
  readonly directory: string;
  /** Leave out what takes minutes: the oracles and other people's tools. */
  readonly quick?: boolean;
}

/** Of the link, each way; bytes do not depend on it, only how long the replay races. */
const BYTES_PER_SECOND = 625_000;

/** Every method on one recorded session. */
export async function measureSession(
  session: Session,
  name: string,
  options: BytesOptions,
): Promise<SessionBytes> {
  const { signal, onProgress } = options;
  const recording = await recordingOf(session, options);
  await using scratch = await createScratchDirectory(options.directory, 'bytes');
  const tools = { directory: scratch.path, signal };
  const live = { ...options, directory: scratch.path, bytesPerSecond: BYTES_PER_SECOND };
  const pair = { name: session.guest, a: recording.a, b: recording.b, root: '' };
  const methods: Record<string, MethodBytes> = {};
  for (const strategy of ['ship', 'replay'] as const) {
    onProgress(`migrating: ${strategy}`);
    const { bytes } = await measureReprise(pair, { ...live, strategy });
    const of = (part: keyof typeof bytes.byClass) =>
      bytes.byClass[part].sent + bytes.byClass[part].received;
    methods[strategy] = {
      ...{ total: bytes.total, sent: bytes.sent, received: bytes.received },
      ...{ ram: of('ram'), disk: of('disk'), device: of('device') },
      ...{ log: of('log'), digests: of('digests'), control: of('control') },
    };
  }
  await using lab = await Laboratory.open(recording, scratch.path);
  const ablation = await ablate(lab);
  const result = { name, title: session.title, changed: lab.changedCounts, methods, ablation };
  if (options.quick === true) return { ...result, oracle: { total: 0, pages: 0 } };
  const { base, plain, squeezed } = await lab.files(recording, scratch.path, signal);
  const measure = async (key: string, text: string, work: () => Promise<StateTraffic>) => {
    onProgress(text);
    methods[key] = ofState(await work());
  };
  const cancel = signal === undefined ? {} : { signal };
  await measure('full', 'zstd of everything', () => measureFullCopy(plain, cancel));
  await measure('rsyncZ', 'rsync -z', () =>
    measureRsync(base, plain, { directory: scratch.path, ...cancel }),
  );
  await measure('xdelta3', 'xdelta3', () => measureXdelta3(base, plain, tools));
  await measure('zstdPatchFrom', 'zstd --patch-from', () => measurePatchFrom(base, plain, tools));
  await measure('cdc', 'content-defined chunks', () => measureChunks(base, plain));
  await measure('cloudlet', 'a cloudlet-style pipeline', () =>
    measureCloudlet(lab.plainPlan, lab.plainChange, { base, target: plain }, tools),
  );
  onProgress('the design of 2008');
  methods['paper2008'] = await paper2008(lab, recording, base, squeezed, methods, tools);
  onProgress('the oracles');
  const { oracle, fullOracle } = await measureOracles({
    ...{ plan: lab.plan, base: lab.change.base, target: lab.change.target },
    ...{
      replay: lab.replay,
      answers: await lab.answers(),
      signal,
      onProgress,
      directory: scratch.path,
    },
    fixedBytes: (methods['replay']?.log ?? 0) + (await deviceDelta(base, squeezed)),
  });
  return { ...result, oracle, ...(fullOracle === undefined ? {} : { fullOracle }) };
}

function ofState({ total, sent, received, byPart }: StateTraffic): MethodBytes {
  const { ram, disk, device } = byPart;
  return {
    ...{ total, sent, received, ram: ram.total, disk: disk.total, device: device.total },
    ...{ log: 0, digests: 0, control: 0 },
  };
}

async function deviceDelta(base: StateFiles, target: StateFiles): Promise<number> {
  const reference = await readFile(base.device);
  return (await compress(await readFile(target.device), { reference })).length;
}

async function paper2008(
  lab: Laboratory,
  recording: Recording,
  base: StateFiles,
  squeezed: StateFiles,
  methods: Readonly<Record<string, MethodBytes>>,
  tools: { directory: string; signal: AbortSignal | undefined },
): Promise<MethodBytes> {
  const { ram, disk, device, digests, log } = await measurePaper2008(
    {
      replay: { ...lab.replay, ram: join(recording.replay, 'ram') },
      target: { state: lab.change.target, changed: lab.change.changed, files: squeezed },
      ...{ base, logBytes: methods['replay']?.log ?? 0 },
    },
    tools,
  );
  const sent = ram.sent + disk.sent + device.sent + log;
  const received = ram.received + disk.received + device.received + digests;
  return {
    ...{ total: sent + received, sent, received, ram: ram.total, disk: disk.total },
    ...{ device: device.total, log, digests, control: 0 },
  };
}

/** What each technique is worth: the residue without a replay, with one left out. */
async function ablate(lab: Laboratory): Promise<Record<string, number>> {
  const bytes = async (plan: ResiduePlan, level?: number) => {
    let total = 0;
    for await (const frame of plan.encode(level === undefined ? {} : { level })) {
      total += frame.bytes.length;
    }
    return total;
  };
  const change = lab.change;
  const indexPath = lab.indexPath;
  await using alone = await lab.differ.planResidue({ ...change, indexPath, similarity: false });
  return {
    everything: await bytes(lab.plan),
    withoutSketches: await bytes(alone),
    zstdInsteadOfContextMixing: await bytes(lab.plan, 18),
    withoutSqueeze: await bytes(lab.plainPlan),
  };
}

/** The states of a recording, open for the differ. */
class Laboratory implements AsyncDisposable {
  readonly #stores: readonly SnapshotStore[];
  readonly #heads: { readonly base: Snapshot; readonly plain: Snapshot; readonly a: Snapshot };
  private constructor(
    readonly differ: Differ,
    readonly indexPath: string,
    readonly change: Change,
    readonly plan: ResiduePlan,
    readonly plainChange: Change,
    readonly plainPlan: ResiduePlan,
    readonly replay: Awaited<ReturnType<typeof replayedState>>,
    stores: readonly SnapshotStore[],
    heads: { base: Snapshot; plain: Snapshot; a: Snapshot },
  ) {
    this.#stores = stores;
    this.#heads = heads;
  }

  static async open(recording: Recording, directory: string): Promise<Laboratory> {
    const homes = [recording.a, recording.plain, recording.b];
    const stores = await Promise.all(homes.map((home) => openStore({ home })));
    const [a, plain, b] = stores;
    if (a === undefined || plain === undefined || b === undefined) throw new Error('no stores');
    const base = await headOf(b, recording.vm);
    const key = new Uint8Array(32).fill(1);
    const differ = new Differ({ fingerprint: { algorithm: 'xxh3', key } });
    const heads = {
      base,
      plain: await headOf(plain, recording.vm),
      a: await headOf(a, recording.vm),
    };
    const change = await changeBetween(
      ...([differ, await a.snapshot(recording.vm, base.root), heads.a] as const),
    );
    const plainChange = await changeBetween(
      ...([differ, await plain.snapshot(recording.vm, base.root), heads.plain] as const),
    );
    const indexPath = join(directory, 'index');
    await differ.buildIndex(change.base, indexPath);
    const plan = await differ.planResidue({ ...change, indexPath });
    const plainPlan = await differ.planResidue({ ...plainChange, indexPath });
    const replay = await replayedState(recording, b);
    return new Laboratory(
      ...([differ, indexPath, change, plan, plainChange, plainPlan] as const),
      ...([replay, stores, heads] as const),
    );
  }

  get changedCounts() {
    const { changed } = this.#heads.plain.manifest;
    return { ramPages: changed?.ramPages ?? 0, diskBlocks: changed?.diskBlocks ?? 0 };
  }

  /** What the replay is known to hold after as many rounds of questions as a migration asks. */
  async answers(): Promise<Answers> {
    const { state, changed } = this.replay;
    const asked = { base: this.change.base, replay: state, changed };
    const earlier = await this.differ.answerQuestions({ questions: this.plan.questions, ...asked });
    const questions = await this.plan.moreQuestions(earlier.bits);
    if (questions === undefined) return earlier;
    return await this.differ.answerQuestions({ questions, ...asked, earlier });
  }

  /** The states as plain files, for other tools. */
  async files(recording: Recording, directory: string, signal: AbortSignal | undefined) {
    const of = (home: string, name: string) =>
      snapshotFiles(home, recording.vm, join(directory, name), { signal });
    return {
      base: await of(recording.b, 'base'),
      plain: await of(recording.plain, 'plain'),
      squeezed: await of(recording.a, 'squeezed'),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.plan.close();
    await this.plainPlan.close();
    await this.differ.close();
    for (const store of this.#stores) await store.close();
  }
}
