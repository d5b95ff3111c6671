import type { MessageName } from './messages.js';

/**
 * The conversation as one table: in each phase, which messages may pass, and the phase that each one
 * leads to. Both sides walk the same table, so a message that is out of place is caught by whoever
 * sees it first. Messages that may still be on their way when the other side moves on are allowed in
 * the next phase too.
 *
 *   greeting → meeting → ready ─┬→ replaying → residue → proving → handoff → over
 *                               │                 ↑ repairing ↵
 *                               └→ seeding → over
 */
export type Phase =
  | 'greeting'
  | 'meeting'
  | 'ready'
  | 'replaying'
  | 'residue'
  | 'proving'
  | 'repairing'
  | 'handoff'
  | 'seeding'
  | 'over';

type Row = Partial<Record<MessageName, Phase>>;

export const transitions: Readonly<Record<Phase, Row>> = {
  greeting: { hello: 'greeting', meet: 'meeting', seed: 'seeding' },
  meeting: { met: 'ready' },
  // A handoff that an earlier attempt left in doubt is settled here, before anything else.
  ready: { handoff: 'ready', plan: 'residue', bye: 'over' },
  replaying: {
    replayProgress: 'replaying',
    replayReport: 'residue',
    replayStop: 'replaying',
    replayed: 'replaying',
    residueStart: 'replaying',
    diskResidue: 'replaying',
    ramResidue: 'replaying',
  },
  residue: {
    inputLog: 'replaying',
    // It may cross the report on its way.
    replayStop: 'residue',
    residueStart: 'residue',
    questions: 'residue',
    answers: 'residue',
    ramResidue: 'residue',
    diskResidue: 'residue',
    device: 'residue',
    adopt: 'residue',
    root: 'proving',
  },
  proving: { proof: 'handoff' },
  repairing: {
    leafDigests: 'repairing',
    leavesWanted: 'repairing',
    residueStart: 'repairing',
    ramResidue: 'repairing',
    diskResidue: 'repairing',
    device: 'repairing',
    root: 'proving',
  },
  handoff: {
    handoff: 'handoff',
    leafDigests: 'repairing',
    device: 'repairing',
    resumed: 'over',
  },
  seeding: {
    seedFrom: 'seeding',
    seedSecret: 'seeding',
    seedBoot: 'seeding',
    seedRam: 'seeding',
    seedDisk: 'seeding',
    seedDevice: 'seeding',
    seedDone: 'seeding',
    bye: 'over',
  },
  over: { bye: 'over' },
};

/** The phase after `message`, or undefined where it has no place. */
export function nextPhase(phase: Phase, message: MessageName): Phase | undefined {
  if (message === 'keepalive' || message === 'error') return phase;
  return transitions[phase][message];
}
