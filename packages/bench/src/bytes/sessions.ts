import {
  desktopBrowse,
  desktopEdit,
  desktopIdle,
  desktopInstall,
  desktopMixed,
  desktopPaint,
  desktopTerminal,
  type Session,
} from '../session/index.js';

/** The sessions of this bench by the names that people know them by. */
export const bytesSessions: Readonly<Record<string, Session>> = {
  edit: desktopEdit,
  terminal: desktopTerminal,
  browse: desktopBrowse,
  paint: desktopPaint,
  install: desktopInstall,
  idle: desktopIdle,
  mixed: desktopMixed,
};
