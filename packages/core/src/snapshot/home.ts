import { homedir } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';

/** Where the store is: $REPRISE_HOME, else $XDG_DATA_HOME/reprise, else ~/.local/share/reprise. */
export function resolveHome(env: Readonly<Record<string, string | undefined>>): string {
  const explicit = env['REPRISE_HOME'];
  if (explicit !== undefined && explicit !== '') return resolve(explicit);
  // The XDG specification: a relative path in these variables is to be ignored.
  const data = env['XDG_DATA_HOME'];
  if (data !== undefined && isAbsolute(data)) return join(data, 'reprise');
  return join(env['HOME'] ?? homedir(), '.local', 'share', 'reprise');
}
