export { sessionNamed, sessionNames } from './catalogue.js';
export { desktopEdit, desktopTerminal, inTerminal } from './desktop.js';
export { playSession } from './player.js';
export { SeededRandom } from './random.js';
export type { Session, Step } from './script.js';
export { tinyHomecoming, tinyShell, tinyVisit } from './tiny.js';
