import { join } from 'node:path';

import { measureFullCopy, measureRsync } from '../baseline/index.js';

import { ablate, type Ablation } from './ablation.js';
import { measureCloudlet } from './cloudlet.js';
import type { Laboratory } from './laboratory.js';
import { ofState, type MethodBytes, type OracleBytes } from './method-bytes.js';
import { measureOracles } from './oracle.js';
import {
  measureChunks,
  measurePatchFrom,
  measureXdelta3,
  type ToolOptions,
} from './other-tools.js';
import type { Recording } from './recording.js';
import { measurePaper2008 } from './paper2008.js';

/** What a session's offline methods work on. */
export interface Bench extends ToolOptions {
  readonly lab: Laboratory;
  readonly recording: Recording;
  /** Of the migration with a replay. */
  readonly replay: MethodBytes;
  readonly onProgress: (text: string) => void;
}

/** A method that needs no VM: other people's tools, and the limits. */
export interface OfflineMethod<T> {
  /** Raise it when the same files would give another number. */
  readonly version: number;
  /** Whose versions are part of what was measured. */
  readonly programs: readonly string[];
  /** Whether our own build is part of it too. */
  readonly ours: boolean;
  /** What it takes while it runs, above the bench itself. */
  readonly needsMiB: number;
  readonly title: string;
  measure(bench: Bench): Promise<T>;
}

const cancel = ({ signal }: ToolOptions) => (signal === undefined ? {} : { signal });

export const stateMethods: Readonly<
  Record<
    | 'full'
    | 'rsyncZ'
    | 'xdelta3'
    | 'zstdPatchFrom'
    | 'cdc'
    | 'cloudlet'
    | 'cloudletAtOnce'
    | 'paper2008',
    OfflineMethod<MethodBytes>
  >
> = {
  full: {
    ...{ version: 1, programs: ['zstd'], ours: false, needsMiB: 200, title: 'zstd of everything' },
    measure: async (o) =>
      ofState(await measureFullCopy((await o.lab.files(o.signal)).plain, cancel(o))),
  },
  rsyncZ: {
    ...{ version: 1, programs: ['rsync'], ours: false, needsMiB: 200, title: 'rsync -z' },
    measure: async (o) => {
      const { base, plain } = await o.lab.files(o.signal);
      return ofState(await measureRsync(base, plain, { directory: o.directory, ...cancel(o) }));
    },
  },
  cdc: {
    ...{ version: 1, programs: [], ours: false, needsMiB: 500, title: 'content-defined chunks' },
    measure: async (o) => {
      const { base, plain } = await o.lab.files(o.signal);
      return ofState(await measureChunks(base, plain));
    },
  },
  cloudlet: {
    ...{ version: 3, programs: ['xdelta3', 'xz'], ours: false, needsMiB: 800 },
    title: 'a cloudlet-style pipeline',
    measure: (o) => cloudlet(o, false),
  },
  cloudletAtOnce: {
    ...{ version: 3, programs: ['xdelta3', 'xz'], ours: false, needsMiB: 1200 },
    title: 'a cloudlet-style pipeline, all chunks at once',
    measure: (o) => cloudlet(o, true),
  },
  paper2008: {
    ...{ version: 1, programs: ['rsync'], ours: false, needsMiB: 200, title: 'the design of 2008' },
    measure: paper2008,
  },
  zstdPatchFrom: {
    ...{ version: 2, programs: ['zstd'], ours: false, needsMiB: 6000, title: 'zstd --patch-from' },
    measure: async (o) => {
      const { base, plain } = await o.lab.files(o.signal);
      return ofState(await measurePatchFrom(base, plain, o));
    },
  },
  xdelta3: {
    ...{ version: 1, programs: ['xdelta3'], ours: false, needsMiB: 3000, title: 'xdelta3' },
    measure: async (o) => {
      const { base, plain } = await o.lab.files(o.signal);
      return ofState(await measureXdelta3(base, plain, o));
    },
  },
};

export const recordedReplay: OfflineMethod<MethodBytes> = {
  ...{
    version: 1,
    programs: [],
    ours: true,
    needsMiB: 400,
    title: 'the recorded replay’s residue',
  },
  async measure(o) {
    const { lab, replay } = o;
    const plan = await lab.plan();
    const { rounds, bytes: digests } = await lab.exchange();
    const bytes = { ram: 0, disk: 0 };
    for await (const frame of plan.encode({ known: rounds, ...cancel(o) }))
      bytes[frame.space] += frame.bytes.length;
    const { delta: device } = await lab.deviceBytes();
    const { log, control } = replay;
    const total = bytes.ram + bytes.disk + device + log + digests + control;
    // Answers come the other way; they are as few as a byte for eight questions.
    const received = rounds.reduce((sum, bits) => sum + bits.length, 0);
    return { total, sent: total - received, received, ...bytes, device, log, digests, control };
  },
};

export const ablation: OfflineMethod<Ablation> = {
  ...{ version: 1, programs: [], ours: true, needsMiB: 800, title: 'what each technique is worth' },
  measure: (o) => ablate(o.lab, cancel(o)),
};

export const oracles: OfflineMethod<{ oracle: OracleBytes; fullOracle: OracleBytes | null }> = {
  ...{ version: 2, programs: ['zstd'], ours: true, needsMiB: 5000, title: 'the oracles' },
  async measure({ lab, replay, signal, onProgress, directory }) {
    const { base, target } = await lab.change();
    const { delta } = await lab.deviceBytes();
    const { oracle, fullOracle } = await measureOracles({
      ...{ plan: await lab.plan(), base, target, signal, onProgress, directory },
      replay: await lab.replay(),
      answers: (await lab.exchange()).answers,
      fixedBytes: replay.log + delta,
    });
    return { oracle, fullOracle: fullOracle ?? null };
  },
};

async function cloudlet(o: Bench, allAtOnce: boolean): Promise<MethodBytes> {
  const { base, plain: target } = await o.lab.files(o.signal);
  const states = await o.lab.plainChange();
  const options = { ...o, allAtOnce };
  return ofState(await measureCloudlet(await o.lab.plainPlan(), states, { base, target }, options));
}

async function paper2008(o: Bench): Promise<MethodBytes> {
  const { lab, recording } = o;
  const { base, squeezed } = await lab.files(o.signal);
  const { target, changed } = await lab.change();
  const { ram, disk, device, digests, log } = await measurePaper2008(
    {
      replay: { ...(await lab.replay()), ram: join(recording.replay, 'ram') },
      target: { state: target, changed, files: squeezed },
      ...{ base, logBytes: o.replay.log },
    },
    o,
  );
  const sent = ram.sent + disk.sent + device.sent + log;
  const received = ram.received + disk.received + device.received + digests;
  return {
    ...{ total: sent + received, sent, received, ram: ram.total, disk: disk.total },
    ...{ device: device.total, log, digests, control: 0 },
  };
}
