import type { InputLog, SessionMark, TimedFrame, TimedInput } from './input-event.js';

/** One thing that a log holds. */
export type LogRecord =
  | { readonly kind: 'input'; readonly input: TimedInput }
  | { readonly kind: 'frame'; readonly frame: TimedFrame }
  | { readonly kind: 'mark'; readonly mark: SessionMark }
  | { readonly kind: 'frames-missing'; readonly atMs: number };

/** What a log holds between its header and its end, in the order in which it happened. */
export function* recordsOf(log: InputLog): Generator<LogRecord> {
  const marks = (log.marks ?? []).values();
  let mark = marks.next();
  for (const record of withoutMarks(log)) {
    for (; mark.done !== true && mark.value.atMs <= timeOf(record); mark = marks.next())
      yield { kind: 'mark', mark: mark.value };
    yield record;
  }
  for (; mark.done !== true; mark = marks.next()) yield { kind: 'mark', mark: mark.value };
}

function timeOf(record: LogRecord): number {
  switch (record.kind) {
    case 'input':
      return record.input.atMs;
    case 'frame':
      return record.frame.atMs;
    case 'mark':
      return record.mark.atMs;
    case 'frames-missing':
      return record.atMs;
  }
}

function* withoutMarks(log: InputLog): Generator<LogRecord> {
  const frames = log.frames ?? [];
  let next = 0;
  function* framesUpTo(after: number): Generator<LogRecord> {
    for (let frame = frames[next]; frame !== undefined && frame.after <= after;) {
      yield { kind: 'frame', frame };
      frame = frames[++next];
    }
  }
  let missing = log.framesMissingFromMs;
  for (const [index, input] of log.events.entries()) {
    yield* framesUpTo(index);
    // After all frames of its own tick: none comes later than it.
    if (missing !== undefined && missing < input.atMs) {
      yield { kind: 'frames-missing', atMs: missing };
      missing = undefined;
    }
    yield { kind: 'input', input };
  }
  yield* framesUpTo(Infinity);
  if (missing !== undefined) yield { kind: 'frames-missing', atMs: missing };
}
