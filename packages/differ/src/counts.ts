import { OP_KINDS } from './native.js';

/** What the base alone explains of the pages that changed, per space. */
export interface PlannedPages {
  /** Marked as changed, but equal to the base at the same position: nothing travels. */
  same: number;
  zero: number;
  /** Found in the base's RAM or disk, at any position. */
  base: number;
  /** Equal to another changed page. */
  twin: number;
  /** Not explained by the base: asked about, sent if the destination's replay has it neither. */
  unknown: number;
}
export interface PlanCounts {
  readonly ram: PlannedPages;
  readonly disk: PlannedPages;
}

/** How pages travelled. */
export interface TravelledPages {
  zero: number;
  base: number;
  twin: number;
  /** Known to the destination from its replay. */
  replay: number;
  /** Carried, as a delta against content that both sides hold. */
  delta: number;
}
export interface ResidueCounts {
  readonly ram: TravelledPages;
  readonly disk: TravelledPages;
}

/** PageClass in native/core/classify.h. */
export const PAGE_CLASSES = ['same', 'zero', 'base', 'twin', 'unknown'] as const;
export const CLASS_SAME = PAGE_CLASSES.indexOf('same');
export const CLASS_TWIN = PAGE_CLASSES.indexOf('twin');
export const CLASS_UNKNOWN = PAGE_CLASSES.indexOf('unknown');

export function plannedPages(): PlannedPages {
  return { same: 0, zero: 0, base: 0, twin: 0, unknown: 0 };
}

export function travelledPages(pagesByKind: readonly number[]): TravelledPages {
  const of = (kind: (typeof OP_KINDS)[number]): number => pagesByKind[OP_KINDS.indexOf(kind)] ?? 0;
  return {
    zero: of('zero'),
    base: of('base'),
    twin: of('twin'),
    replay: of('answer'),
    delta: of('delta'),
  };
}
