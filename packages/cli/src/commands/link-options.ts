import type { SshOptions } from '@reprise/core';

/** Options of every command that talks to another host. */
export interface LinkOptions {
  readonly limit?: string;
  readonly ssh?: readonly string[];
  readonly remoteCommand?: string;
}

export function sshOptions(options: LinkOptions): SshOptions {
  return {
    ...(options.ssh === undefined ? {} : { sshArguments: options.ssh }),
    ...(options.remoteCommand === undefined ? {} : { remoteCommand: options.remoteCommand }),
  };
}
