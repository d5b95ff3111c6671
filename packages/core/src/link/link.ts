import type { Duplex } from 'node:stream';

/**
 * A byte stream to the other host. Links know nothing of what travels; the protocol counts and frames.
 * Every link runs the conformance suite in `link/conformance.ts`.
 */
export interface Link extends AsyncDisposable {
  /** How a person names the other end: `user@host`, `unix:/path`. */
  readonly peer: string;
  readonly stream: Duplex;
  /**
   * The transport's own account of why it ended, for an error message: ssh's last words, say. Empty
   * where it has none.
   */
  lastWords(): string;
  /** Ends the stream and everything that carries it. Safe to call twice. */
  close(): Promise<void>;
}
