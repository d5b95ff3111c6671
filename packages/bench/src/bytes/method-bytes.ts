import type { StateTraffic } from '../baseline/index.js';

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
  /** That had to be carried. */
  readonly pages: number;
  readonly joined: number;
  readonly pageByPage: number;
  readonly positions: number;
  readonly fixed: number;
}

/** Every method, null where it was not measured. */
export interface Methods {
  full: MethodBytes | null;
  rsyncZ: MethodBytes | null;
  xdelta3: MethodBytes | null;
  zstdPatchFrom: MethodBytes | null;
  cdc: MethodBytes | null;
  cloudlet: MethodBytes | null;
  /** More than the paper's: all chunks through one xdelta. */
  cloudletAtOnce: MethodBytes | null;
  paper2008: MethodBytes | null;
  /** Reprise without a replay, and with one: real migrations. */
  ship: MethodBytes | null;
  replay: MethodBytes | null;
  /** Reprise with the replay that both oracles know, its residue coded again: what `replay` would have been had it gone the same way. */
  recordedReplay: MethodBytes | null;
  oracle: OracleBytes | null;
  fullOracle: OracleBytes | null;
  /** The same kind of session in virtual time, from the results of that benchmark. */
  virtual: { readonly total: number; readonly runs: number } | null;
}

export const methodTitles: Readonly<Record<keyof Methods, string>> = {
  full: 'full copy + zstd',
  rsyncZ: 'rsync -z',
  xdelta3: 'xdelta3 -9 -S lzma',
  zstdPatchFrom: 'zstd --patch-from',
  cdc: 'content-defined chunks',
  cloudlet: 'cloudlet-style pipeline',
  cloudletAtOnce: 'cloudlet-style, at once',
  paper2008: 'the design of 2008',
  ship: 'reprise, no replay',
  replay: 'reprise, replay',
  recordedReplay: 'reprise, recorded replay',
  oracle: 'oracle',
  fullOracle: 'full oracle',
  virtual: 'reprise, virtual time',
};

export function noMethods(): Methods {
  const keys = Object.keys(methodTitles) as (keyof Methods)[];
  return Object.fromEntries(keys.map((key) => [key, null])) as unknown as Methods;
}

export function ofState({ total, sent, received, byPart }: StateTraffic): MethodBytes {
  const { ram, disk, device } = byPart;
  return {
    ...{ total, sent, received, ram: ram.total, disk: disk.total, device: device.total },
    ...{ log: 0, digests: 0, control: 0 },
  };
}
