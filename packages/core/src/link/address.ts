import { RepriseError } from '../errors.js';

/** Where the other host is, as a person writes it. */
export type Address =
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'ssh'; readonly destination: string };

/**
 * Reads `unix:/path/to.sock` or what ssh takes as a destination (`host`, `user@host`, `ssh://user@host:port`).
 * A destination that ssh would take for an option is refused.
 */
export function parseAddress(text: string): Address {
  if (text.startsWith('unix:')) {
    const path = text.slice('unix:'.length);
    if (path !== '') return { kind: 'unix', path };
  } else if (/^(ssh:\/\/)?[A-Za-z0-9_][A-Za-z0-9_.@:[\]%-]*$/.test(text)) {
    return { kind: 'ssh', destination: text };
  }
  throw new RepriseError(
    'INVALID_ARGUMENT',
    `'${text}' is no destination. Give user@host for ssh, or unix:/path for a socket where 'reprise receive --listen' waits.`,
  );
}
