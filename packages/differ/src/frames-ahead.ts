import type { LevelGovernor } from './level-governor.js';
import type { NativeFrame } from './native.js';
import type { WorkerPool } from './worker-pool.js';

interface MadeFrame {
  readonly frame: NativeFrame | null;
  readonly madeMs: number;
}

/**
 * The frames of an open encoder, each made while the taker is busy with the one before, never more than one ahead. With a
 * `governor`, at the level that keeps up with the taker.
 */
export async function* framesAhead(
  pool: WorkerPool,
  encoder: number,
  governor: LevelGovernor | undefined,
): AsyncGenerator<NativeFrame, void, undefined> {
  let making = make(pool, encoder, governor?.level);
  try {
    for (let held = 0; ;) {
      const askedMs = performance.now();
      const { frame, madeMs } = await making;
      if (frame === null) return;
      const takenMs = performance.now();
      governor?.observe({ made: madeMs, awaited: takenMs - askedMs, held });
      making = make(pool, encoder, governor?.level);
      yield frame;
      held = performance.now() - takenMs;
    }
  } finally {
    await making.catch(() => undefined); // the encoder must not be closed under it
  }
}

function make(pool: WorkerPool, encoder: number, level: number | undefined): Promise<MadeFrame> {
  const startedMs = performance.now();
  const making = pool.run({ kind: 'encoder-next', id: encoder, level }).then((frame) => ({
    frame: frame as NativeFrame | null,
    madeMs: performance.now() - startedMs,
  }));
  // Whoever awaits it hears of a failure; until then it must not end the process.
  making.catch(() => undefined);
  return making;
}
