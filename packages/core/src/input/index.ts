/** The input log, and replaying it. */
export type {
  Anchor,
  ClipboardInput,
  ExtendedKeyInput,
  HeldKey,
  InputEvent,
  InputLog,
  InputLogHeader,
  InputSink,
  KeyInput,
  PointerInput,
  ResizeInput,
  ScreenLayout,
  SessionEnd,
  SessionMark,
  TileRect,
  TimedFrame,
  TimedInput,
} from './input-event.js';
export { inputLimits, TICK_MS, TILE } from './input-event.js';
export { openInputLog, readInputLog, type StoredInputLog } from './input-log-reader.js';
export { InputLogWriter } from './input-log-writer.js';
export { packInputLog, unpackInputLog } from './packed-log.js';
export { ByEvidence, type ByEvidenceOptions, estimateReplayMs } from './by-evidence.js';
export type { PacingDecision, PacingEvidence, PacingStep, PacingStrategy } from './pacing.js';
export type { Activity } from './progress-meter.js';
export { cpuIdle, diskQuiet, screenQuiet, workDone, type ReadinessSign } from './readiness.js';
export { RecordedGaps, type RecordedGapsOptions } from './recorded-gaps.js';
export {
  type MissedAnchor,
  replayInput,
  type ReplayOptions,
  type ReplayProgress,
  type ReplayReport,
} from './replay.js';
export { openBlob, sealBlob } from './sealed-blob.js';
export { SessionClock } from './session-clock.js';
