import { setTimeout as sleep } from 'node:timers/promises';

import { keystroke, RfbClient } from '../console/index.js';
import { RepriseError, throwIfCancelled } from '../errors.js';
import { openStore } from '../snapshot/index.js';

import { Session } from './session.js';

/** How long a viewer's event is on its way: from the viewer's socket until the guest has it and the log gets it. */
export interface InputLatency {
  readonly medianMs: number;
  readonly p95Ms: number;
  readonly samples: number;
}

export interface InputLatencyOptions {
  readonly samples?: number;
  readonly signal?: AbortSignal;
}

const SAMPLES = 200;
const LOST_MS = 30_000;
/** A screen that was just resumed is drawn first. */
const SETTLE_MS = 3_000;

/**
 * Runs the suspended VM `name`, types into it as a viewer does, and forgets the session. Nothing of the way is left
 * out: RFB, the console proxy, the hypervisor, the recorder.
 */
export async function measureInputLatency(
  home: string,
  name: string,
  { samples = SAMPLES, signal }: InputLatencyOptions = {},
): Promise<InputLatency> {
  await using store = await openStore({ home });
  let arrived: () => void = () => undefined;
  const request = { home, name, leftover: 'refuse' } as const;
  const session = await Session.start(store, request, {
    ...(signal === undefined ? {} : { signal }),
    onInput: () => {
      arrived();
    },
  });
  try {
    const { console } = await session.status();
    await using viewer = await RfbClient.connect(console, signal === undefined ? {} : { signal });
    await sleep(SETTLE_MS);
    const times: number[] = [];
    const { keysym } = keystroke('a');
    for (let i = 0; i < samples; i++) {
      const there = new Promise<void>((resolve) => (arrived = resolve));
      const startedMs = performance.now();
      viewer.key(keysym, i % 2 === 0);
      await within(there, signal);
      times.push(performance.now() - startedMs);
      // Never in step with the ticks.
      await sleep(7 + (i % 23));
    }
    return summarize(times);
  } finally {
    await session.discard();
  }
}

async function within(there: Promise<void>, signal: AbortSignal | undefined): Promise<void> {
  const over = new AbortController();
  try {
    await Promise.race([
      there,
      sleep(LOST_MS, undefined, { signal: over.signal }).then(() => {
        throw new RepriseError(
          'TIMEOUT',
          `An event of the viewer did not reach the VM within ${String(LOST_MS / 1000)} s. The host may be overloaded: try again.`,
        );
      }),
    ]);
    throwIfCancelled(signal);
  } finally {
    over.abort();
  }
}

function summarize(times: readonly number[]): InputLatency {
  const sorted = times.toSorted((a, b) => a - b);
  const at = (share: number) => sorted[Math.floor(share * (sorted.length - 1))] ?? 0;
  return { medianMs: at(0.5), p95Ms: at(0.95), samples: sorted.length };
}
