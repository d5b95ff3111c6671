import {
  desktopEdit,
  desktopTerminal,
  tinyShell,
  type Session,
  type Step,
} from '../session/index.js';

const MIXED_ROUNDS = 10;

/** Half an hour at a desktop: writing and building in turns. */
const mixed: Session = {
  name: 'desktop-mixed',
  guest: 'desktop',
  title: 'half an hour: writing and building in turns',
  seed: 4003,
  steps: Array.from({ length: MIXED_ROUNDS }, (): readonly Step[] => [
    ...desktopEdit.steps,
    ...desktopTerminal.steps,
  ]).flat(),
};

/** What `bench virtual` plays, by the names of its options and its results. */
export const virtualSessions: Readonly<Record<string, Session>> = {
  shell: tinyShell,
  edit: desktopEdit,
  terminal: desktopTerminal,
  mixed,
};

/** The session whose CPU time is compared with plain emulation: it compiles. */
export const SLOWDOWN_SESSION = 'terminal';
