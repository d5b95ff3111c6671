export { type BytesByClass, type ByteTotals } from './byte-account.js';
export { Channel, type Greeting } from './channel.js';
export {
  byteClasses,
  divergence,
  MAX_INPUT_LOG_BYTES,
  MAX_MISSED_NAMED,
  MAX_NOTE,
  messages,
  missedAnchor,
  PROTOCOL_VERSION,
  type ByteClass,
  type Content,
  type Divergence,
  type Message,
  type MessageName,
  type Side,
} from './messages.js';
export { nextPhase, transitions, type Phase } from './phases.js';
