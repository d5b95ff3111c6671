import { readFile } from 'node:fs/promises';

import { bytesExamined } from '@reprise/differ';

import { PeakMemory } from '../measure/peak-memory.js';

export interface ScaleStep {
  readonly step: string;
  readonly seconds: number;
  /** Bytes of the images that were looked at, wherever they came from. */
  readonly bytesRead: number;
  /** Of those, what had to come from storage, by the kernel's count. */
  readonly bytesFromStorage: number;
  /** Anonymous memory at its highest during the step; mapped files are the page cache's. */
  readonly peakMemoryBytes: number;
  /** Whether a step whose cost must follow what changed looked at no more than it may. */
  readonly holds?: boolean;
  readonly detail: string;
}

/** Runs steps one after the other, and keeps what each of them took. */
export class StepRecorder {
  readonly steps: ScaleStep[] = [];
  readonly #onProgress: (text: string) => void;
  readonly #signal: AbortSignal | undefined;

  constructor(onProgress: (text: string) => void, signal: AbortSignal | undefined) {
    this.#onProgress = onProgress;
    this.#signal = signal;
  }

  /**
   * @param work settles with what there is to say about it.
   * @param mostBytes that it may look at; unbounded when left out.
   */
  async step(step: string, work: () => Promise<string>, mostBytes?: number): Promise<void> {
    this.#signal?.throwIfAborted();
    this.#onProgress(step);
    const storageBefore = await bytesFromStorage();
    const [startedMs, readBefore] = [performance.now(), bytesExamined()];
    const peak = new PeakMemory();
    try {
      const detail = await work();
      const bytesRead = Number(bytesExamined() - readBefore);
      this.steps.push({
        ...{ step, bytesRead, detail },
        seconds: (performance.now() - startedMs) / 1000,
        bytesFromStorage: (await bytesFromStorage()) - storageBefore,
        peakMemoryBytes: peak.stop(),
        ...(mostBytes === undefined ? {} : { holds: bytesRead <= mostBytes }),
      });
    } finally {
      peak.stop();
    }
  }
}

async function bytesFromStorage(): Promise<number> {
  return Number(/^read_bytes: (\d+)$/m.exec(await readFile('/proc/self/io', 'utf8'))?.[1] ?? 0);
}
