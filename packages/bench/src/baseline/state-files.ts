/** One suspended state as plain files, as any other tool would see it. */
export interface StateFiles {
  readonly ram: string;
  /** The whole disk as one raw image. */
  readonly disk: string;
  readonly device: string;
}

/** Bytes in each direction, as the source counts them. */
export interface Traffic {
  readonly total: number;
  readonly sent: number;
  readonly received: number;
}

/** What another tool puts on the link for one state. */
export interface StateTraffic extends Traffic {
  readonly byPart: Readonly<Record<keyof StateFiles, Traffic>>;
}

export function traffic(sent: number, received: number): Traffic {
  return { total: sent + received, sent, received };
}

export function stateTraffic(byPart: StateTraffic['byPart']): StateTraffic {
  const parts = Object.values(byPart);
  const sum = (direction: 'sent' | 'received') =>
    parts.reduce((total, part) => total + part[direction], 0);
  return { ...traffic(sum('sent'), sum('received')), byPart };
}
