import { desktopEdit, desktopTerminal } from '../session/index.js';
import { line, settle, think, type Session } from '../session/script.js';

/** Nobody touches anything: what a desktop does by itself, two minutes of it. */
const desktopIdle: Session = {
  name: 'desktop-idle',
  guest: 'desktop',
  title: 'two minutes without a touch',
  seed: 4003,
  steps: [think(120)],
};

/** The two others after each other, then new programs are started: the hardest, since new processes fill new memory. */
const desktopMixed: Session = {
  name: 'desktop-mixed',
  guest: 'desktop',
  title: 'writing, building, then opening new programs',
  seed: 4004,
  steps: [
    ...desktopEdit.steps,
    ...desktopTerminal.steps,
    ...line('xterm -e less mill/main.c & l3afpad mill/main.c &'),
    settle(60, 3),
    think(3),
  ],
};

/** The sessions of this bench by the names that people know them by. */
export const bytesSessions: Readonly<Record<string, Session>> = {
  edit: desktopEdit,
  terminal: desktopTerminal,
  idle: desktopIdle,
  mixed: desktopMixed,
};
