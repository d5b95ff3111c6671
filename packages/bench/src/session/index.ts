export { sessionNamed, sessionNames } from './catalogue.js';
export { desktopEdit, desktopTerminal, inTerminal } from './desktop.js';
export { desktopFetch, fetchedFiles, fetchSteps } from './desktop-fetch.js';
export { line, settle, think } from './script.js';
export { playSession } from './player.js';
export { SeededRandom } from './random.js';
export type { Session, Step } from './script.js';
export { tinyHomecoming, tinyShell, tinyVisit } from './tiny.js';
