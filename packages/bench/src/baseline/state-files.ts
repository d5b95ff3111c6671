/** One suspended state as plain files, as any other tool would see it. */
export interface StateFiles {
  readonly ram: string;
  /** The whole disk as one raw image. */
  readonly disk: string;
  readonly device: string;
}

export interface Traffic {
  readonly total: number;
  readonly sent: number;
  readonly received: number;
}
