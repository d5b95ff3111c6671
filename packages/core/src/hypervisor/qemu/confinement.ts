import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

const PROBE_TIMEOUT_MS = 10_000;
/** As root; and as anybody else, where the kernel lets users make namespaces. */
const ways = [['--net'], ['--user', '--map-current-user', '--net']] as const;

export interface Command {
  readonly program: string;
  readonly args: readonly string[];
  /** The process will have a network namespace of its own, with nothing in it. */
  readonly confined: boolean;
}

let working: Promise<readonly string[] | undefined> | undefined;

/**
 * The same command in a network namespace of its own, where this host allows that: there even a process
 * that was told to use the network, or was taken over by its guest, finds none. All that a hypervisor
 * needs are unix sockets, which have paths and no namespace.
 */
export async function withoutHostNetwork(
  program: string,
  args: readonly string[],
): Promise<Command> {
  working ??= findWay();
  const way = await working;
  if (way === undefined) return { program, args, confined: false };
  return {
    program: 'unshare',
    // The wish to die with us is renewed: the kernel may drop it with the change of credentials.
    args: [...way, '--', 'setpriv', '--pdeathsig', 'KILL', '--', program, ...args],
    confined: true,
  };
}

async function findWay(): Promise<readonly string[] | undefined> {
  for (const way of ways) {
    try {
      await run('unshare', [...way, '--', 'true'], { timeout: PROBE_TIMEOUT_MS });
      return way;
    } catch {
      // Not allowed here; the next way may be.
      continue;
    }
  }
  return undefined;
}
