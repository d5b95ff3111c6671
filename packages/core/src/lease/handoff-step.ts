import type { ErrorCode } from '../errors.js';
import type { Ancestor, HandoffMessage, HandoffState, Offer, RecordType } from './handoff-state.js';
import type { ProcessIdentity } from './process-identity.js';

/** What goes into a step of the handoff, and what comes out. */

export type HandoffInput =
  | { readonly type: 'import'; readonly lineage: string }
  | {
      readonly type: 'seeded';
      readonly lineage: string;
      readonly ancestors: readonly Ancestor[];
      readonly token: number;
    }
  | { readonly type: 'start'; readonly process: ProcessIdentity }
  /** One more process without which the VM would not be gone: the hypervisor beside its supervisor. */
  | { readonly type: 'attach'; readonly process: ProcessIdentity }
  | { readonly type: 'stop' }
  | ({ readonly type: 'begin' } & Offer)
  | { readonly type: 'cancel' }
  | ({
      readonly type: 'proved';
      readonly lineage: string;
      readonly ancestors: readonly Ancestor[];
      /** The source's token, as its offer said; the destination will own the next one. */
      readonly token: number;
    } & Offer)
  | {
      readonly type: 'force';
      readonly lineage: string;
      readonly at: string;
      readonly reason: string;
    }
  | {
      readonly type: 'concede';
      readonly lineage: string;
      readonly ancestors: readonly Ancestor[];
      readonly token: number;
    }
  | { readonly type: 'remove' }
  /** The two hosts can talk (again). */
  | { readonly type: 'contact'; readonly peer: string }
  | { readonly type: 'message'; readonly message: HandoffMessage };

/** What the pipeline wants to know about a migration. */
export type HandoffNotice = 'offered' | 'released' | 'owned' | 'done' | 'aborted';

export type HandoffEffect =
  | { readonly kind: 'journal'; readonly record: RecordType; readonly state: HandoffState }
  | { readonly kind: 'send'; readonly to: string; readonly message: HandoffMessage }
  | {
      readonly kind: 'notice';
      readonly notice: HandoffNotice;
      readonly migration: string;
      readonly root?: string;
    }
  | { readonly kind: 'refuse'; readonly code: ErrorCode; readonly message: string };

export interface Step {
  readonly state: HandoffState;
  readonly effects: readonly HandoffEffect[];
}

export type Present = Exclude<HandoffState, { kind: 'absent' }>;
export type In<K extends HandoffState['kind']> = Extract<HandoffState, { kind: K }>;
