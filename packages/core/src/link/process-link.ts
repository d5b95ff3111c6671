import { Duplex } from 'node:stream';

import { RepriseError } from '../errors.js';
import { OwnedProcess } from '../process/index.js';

import type { Link } from './link.js';

const REMOTE_EXIT_GRACE_MS = 10_000;

/** A link over the standard input and output of a program: ssh, or a local receiver in tests. */
export async function startProcessLink(
  program: string,
  args: readonly string[],
  options: { peer: string; packageHint?: string; env?: NodeJS.ProcessEnv },
): Promise<Link> {
  let lastWords = '';
  const owned = await OwnedProcess.start(program, args, {
    stdio: { stdin: 'pipe', stdout: 'pipe' },
    ...(options.env === undefined ? {} : { env: options.env }),
    ...(options.packageHint === undefined ? {} : { packageHint: options.packageHint }),
    onErrorOutput: (text) => {
      lastWords = (lastWords + text).slice(-2048);
    },
  });
  const { stdin, stdout } = owned.child;
  if (stdin === null || stdout === null) {
    throw new RepriseError('INTERNAL', 'A link was started without pipes. Report this defect.');
  }
  const stream = Duplex.from({ readable: stdout, writable: stdin });
  // The protocol above reports a broken stream; without a listener Node would end the process.
  stream.on('error', () => undefined);
  const close = async () => {
    stdin.end();
    stdout.resume();
    await owned.endsWithin(REMOTE_EXIT_GRACE_MS);
    await owned.stop();
  };
  return {
    peer: options.peer,
    stream,
    lastWords: () => lastWords.trim(),
    close,
    [Symbol.asyncDispose]: close,
  };
}

export interface SshOptions {
  /** Further arguments for ssh, before the destination: `-p`, `-i`, `-F`. */
  readonly sshArguments?: readonly string[];
  /** The command that starts the receiver on the far side. */
  readonly remoteCommand?: string;
}

/** Runs the receiver on `destination` through ssh, as rsync does: no daemon, ssh's own keys. */
export async function connectSsh(destination: string, options: SshOptions = {}): Promise<Link> {
  return await startProcessLink(
    'ssh',
    [
      ...['-o', 'BatchMode=yes', '-o', 'ServerAliveInterval=15', '-T'],
      // What travels is already compressed.
      ...['-o', 'Compression=no'],
      ...(options.sshArguments ?? []),
      '--',
      destination,
      options.remoteCommand ?? 'reprise receive',
    ],
    { peer: destination, packageHint: 'openssh-client' },
  );
}
