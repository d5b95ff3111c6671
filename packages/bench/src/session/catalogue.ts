import { desktopEdit, desktopTerminal } from './desktop.js';
import type { Session } from './script.js';
import { tinyShell } from './tiny.js';

/** The sessions that are measured. */
const sessions: readonly Session[] = [tinyShell, desktopEdit, desktopTerminal];

export const sessionNames: readonly string[] = sessions.map(({ name }) => name);

/** Throws for a name that is not in `sessionNames`. */
export function sessionNamed(name: string): Session {
  const session = sessions.find((candidate) => candidate.name === name);
  if (session !== undefined) return session;
  throw new Error(`There is no session '${name}'. Use one of: ${sessionNames.join(', ')}.`);
}
