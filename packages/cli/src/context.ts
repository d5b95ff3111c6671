import { resolve } from 'node:path';

import { openStore, resolveHome, type SnapshotStore } from '@reprise/core';

import { Output } from './output/output.js';

/** Options that every command has. */
export interface GlobalOptions {
  readonly home?: string;
  readonly json?: boolean;
}

/** What a command works with. */
export interface Context {
  readonly home: string;
  readonly output: Output;
  /** Fires at Ctrl-C and at SIGTERM. */
  readonly signal: AbortSignal;
  openStore(): Promise<SnapshotStore>;
}

export function contextOf(options: GlobalOptions): Context {
  const home = options.home === undefined ? resolveHome(process.env) : resolve(options.home);
  return {
    home,
    output: new Output(options.json ?? false),
    signal: interrupted(),
    openStore: () => openStore({ home }),
  };
}

/** A second Ctrl-C ends the process at once, as a person expects who has lost patience. */
function interrupted(): AbortSignal {
  const controller = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.once(name, () => {
      controller.abort();
      process.once(name, () => process.exit(130));
    });
  }
  return controller.signal;
}
