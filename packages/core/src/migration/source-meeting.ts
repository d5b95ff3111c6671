import { BLOCK_SIZE } from '@reprise/blkdriver-native';

import { RepriseError } from '../errors.js';
import type { Channel, Content } from '../protocol/index.js';
import type { Snapshot, SnapshotStore } from '../snapshot/index.js';
import { lineOf } from '../state/index.js';

import { offerExactReplay } from './exact-replay.js';
import type { HandoffExchange } from './handoff-exchange.js';

/** The newest snapshots that are offered as a base. */
const MOST_BASES = 64;

export interface MeetingOptions {
  readonly store: SnapshotStore;
  readonly name: string;
  readonly channel: Channel;
  readonly resume: boolean;
}

/** Says what is to travel, and hears what the destination has of it. */
export async function meetDestination(
  { store, name, channel, resume }: MeetingOptions,
  head: Snapshot,
  handoff: HandoffExchange,
): Promise<Content<'met'>> {
  const [vm, machine] = [await store.vm(name), await store.machine(name)];
  const line = await lineOf(store, name, head);
  const virtualTime = await offerExactReplay(machine);
  const blocks = line.reduce((sum, { manifest }) => sum + (manifest.changed?.diskBlocks ?? 0), 0);
  await channel.send('meet', {
    ...{ vm: vm.id, name, machine, resume },
    ...(virtualTime === undefined ? {} : { virtualTime }),
    target: head.root,
    bases: line.slice(1, 1 + MOST_BASES).map((snapshot) => snapshot.root),
    handoff: await handoff.contact(),
    occupiedBytes: blocks * BLOCK_SIZE,
  });
  return (await channel.receive('met')).content;
}

/** The newest snapshot that both hosts hold. Throws INCOMPATIBLE_PEER, NO_COMMON_BASE. */
export async function commonBase(
  { store, name, channel }: MeetingOptions,
  head: Snapshot,
  met: Content<'met'>,
): Promise<Snapshot> {
  if (met.obstacles.length > 0) {
    throw new RepriseError(
      'INCOMPATIBLE_PEER',
      `${channel.peerName} cannot take '${name}': ${met.obstacles.join('; ')}. Remove the obstacle there, then migrate again.`,
      { context: { obstacles: met.obstacles } },
    );
  }
  if (met.complete) return head;
  if (met.base === undefined) {
    const why = met.known ? 'holds no snapshot of it that this host has too' : 'does not know it';
    throw new RepriseError(
      'NO_COMMON_BASE',
      `${channel.peerName} ${why}. Send it a base first: reprise seed ${name} ${channel.peerName}`,
    );
  }
  return await store.snapshot(name, met.base);
}
