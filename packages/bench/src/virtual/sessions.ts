import {
  desktopEdit,
  desktopFetch,
  desktopTerminal,
  fetchSteps,
  inTerminal,
  line,
  settle,
  tinyShell,
  type Session,
  type Step,
} from '../session/index.js';

/** A session that `bench virtual` plays. */
export interface VirtualSession {
  /** In options and results. */
  readonly name: string;
  /** Its machine has a network card, and its log the frames that reach it. */
  readonly network: boolean;
  /** Half an hour: played once, whatever `--runs` says. */
  readonly long: boolean;
  /** `port`: of the host's web server. */
  readonly script: (port: number) => Session;
}

const MIXED_ROUNDS = 9;

/** Half an hour at a desktop: writing, building from scratch, fetching, in turns. */
function mixed(port: number): Session {
  return {
    name: 'desktop-mixed',
    guest: 'desktop',
    title: 'half an hour: writing, building and fetching in turns',
    seed: 4003,
    steps: Array.from({ length: MIXED_ROUNDS }, (_, round): readonly Step[] => [
      ...desktopEdit.steps,
      // Else `make` would find everything made.
      ...[inTerminal, ...line('cd; rm -rf mill'), settle()],
      ...desktopTerminal.steps,
      ...(round % 3 === 1 ? fetchSteps(port) : []),
    ]).flat(),
  };
}

const short = { network: false, long: false } as const;

export const virtualSessions: readonly VirtualSession[] = [
  { ...short, name: 'shell', script: () => tinyShell },
  { ...short, name: 'edit', script: () => desktopEdit },
  { ...short, name: 'terminal', script: () => desktopTerminal },
  { ...short, name: 'fetch', network: true, script: desktopFetch },
  { name: 'mixed', network: true, long: true, script: mixed },
];

/** What is played where nobody says. */
export const DEFAULT_SESSIONS = ['edit', 'terminal', 'fetch', 'mixed'] as const;

export function virtualSessionNamed(name: string): VirtualSession {
  const session = virtualSessions.find((candidate) => candidate.name === name);
  if (session !== undefined) return session;
  throw new Error(
    `There is no session '${name}'. Use one of: ${virtualSessions.map((one) => one.name).join(', ')}.`,
  );
}
