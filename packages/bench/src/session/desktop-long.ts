import { desktopBrowse, desktopInstall } from './desktop-programs.js';
import { desktopEdit, desktopTerminal } from './desktop.js';
import { key, line, settle, think, type Session } from './script.js';

/** Of an hour, what is really waited for: what a desktop does by itself it does at the same pace all the time. */
const IDLE_SCALE = 1 / 20;

export const desktopIdle: Session = {
  name: 'desktop-idle-hour',
  guest: 'desktop',
  title: 'an hour without a touch, at a scale of 1 : 20 (three minutes)',
  seed: 4003,
  steps: [think(3600 * IDLE_SCALE)],
};

/** The others after each other: the hardest, since new processes fill new memory. */
export const desktopMixed: Session = {
  name: 'desktop-mixed-long',
  guest: 'desktop',
  title: 'writing, building, opening new programs, installing, reading pages',
  seed: 4004,
  steps: [
    ...desktopEdit.steps,
    ...desktopTerminal.steps,
    ...line('l3afpad mill/main.c &'),
    settle(60, 3),
    think(3),
    key('q', 'ControlLeft'),
    settle(30),
    ...desktopInstall.steps,
    ...desktopBrowse.steps,
  ],
};
