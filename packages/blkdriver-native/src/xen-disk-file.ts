import { fileURLToPath } from 'node:url';

import type { DiskChain } from './disk-chain.js';
import { invalidArgument } from './errors.js';

/** What a guest is offered; everything, unless said otherwise. */
export interface XenDiskFeatures {
  /** FLUSH_DISKCACHE. */
  flush?: boolean;
  /** WRITE_BARRIER, for frontends that know no flush. */
  barriers?: boolean;
  discard?: boolean;
  /** The guest's frames stay mapped, at most 16 MiB of them; else each request's are copied by the hypervisor. */
  persistentGrants?: boolean;
  /** Of one indirect request, 0 to 256; 0 offers none. */
  indirectSegments?: number;
  /** The largest ring has 2 to the power of this pages, 0 to 4. */
  ringPageOrder?: number;
}

const built = (name: string): string =>
  fileURLToPath(new URL(`../build/addon/Release/${name}`, import.meta.url));

/** Programs for dom0, built with the addon where Xen's headers are. */
export const XEN_TOOLS = {
  /** Serves one disk to one domain. */
  blkback: built('reprise-blkback'),
  /** For `device_model_override` in a domain's configuration. */
  deviceModel: built('reprise-device-model'),
} as const;

/** The features with their defaults. @throws BlkError `INVALID_ARGUMENT` */
export function checkedFeatures(features: XenDiskFeatures): Required<XenDiskFeatures> {
  const checked = {
    flush: features.flush ?? true,
    barriers: features.barriers ?? true,
    discard: features.discard ?? true,
    persistentGrants: features.persistentGrants ?? true,
    indirectSegments: features.indirectSegments ?? 256,
    ringPageOrder: features.ringPageOrder ?? 4,
  };
  checkWhole(checked.indirectSegments, 256, 'indirectSegments');
  checkWhole(checked.ringPageOrder, 4, 'ringPageOrder');
  return checked;
}

export function checkWhole(value: number, most: number, name: string): void {
  if (Number.isInteger(value) && value >= 0 && value <= most) return;
  throw invalidArgument(`${name} is an integer from 0 to ${most}. Choose one of them.`, {
    [name]: value,
  });
}

/**
 * The text of a disk file: what `target=` of a `disk=` line names, and what `reprise-blkback` takes.
 *
 * @param chain absolute paths
 * @throws BlkError `INVALID_ARGUMENT`
 */
export function xenDiskFile(
  chain: DiskChain,
  o: XenDiskFeatures & { readOnly?: boolean } = {},
): string {
  const features = checkedFeatures(o);
  const yesNo = (value: boolean): string => (value ? 'yes' : 'no');
  const path = (value: string): string => {
    if (value.startsWith('/') && !value.includes('\n')) return value;
    throw invalidArgument('A disk file needs absolute paths on one line. Resolve them first.', {
      path: value,
    });
  };
  const lines = [
    ['base', path(chain.base)],
    ...chain.layers.map((layer) => ['layer', path(layer)]),
    ['overlay', path(chain.overlay)],
    ['read-only', yesNo(o.readOnly ?? false)],
    ['flush', yesNo(features.flush)],
    ['barriers', yesNo(features.barriers)],
    ['discard', yesNo(features.discard)],
    ['persistent-grants', yesNo(features.persistentGrants)],
    ['indirect-segments', String(features.indirectSegments)],
    ['ring-page-order', String(features.ringPageOrder)],
  ];
  return lines.map((line) => line.join(' ') + '\n').join('');
}
