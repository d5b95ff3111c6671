export { changeBetween, packDevice, type Change } from './change.js';
export { contentIndexOf } from './content-index.js';
export { differFor } from './differ-for.js';
export { diskImage, stateOf } from './images.js';
export { lineOf } from './line.js';
export { replayedState } from './replayed-state.js';
export { pageReader, runsBelow, withDevice, wholeStateOf, type WholeState } from './whole-state.js';
