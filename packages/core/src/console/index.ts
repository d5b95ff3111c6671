/** The VM's console: the recording proxy, and the RFB client. */
export {
  type ConsoleListen,
  type ConsoleProxy,
  type ConsoleProxyOptions,
  openConsoleProxy,
} from './console-proxy.js';
export type { DisplayAddress } from './display-connection.js';
export { type Frame, frameDigest } from './frame.js';
export type { GuestProgress } from './guest-progress.js';
export type { InputBacklog } from './input-flow.js';
export type { InputInjector } from './input-injector.js';
export { isModifier, type KeyName, type Keystroke, keystroke, keysym } from './keysym.js';
export { encodePng } from './png.js';
export { RfbClient, type RfbClientOptions } from './rfb-client.js';
export type { WaitOptions } from './waiters.js';
