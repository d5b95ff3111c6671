import { readFile } from 'node:fs/promises';

import {
  compress,
  countPages,
  pageCount,
  pagesOfLeaves,
  type Differ,
  type Space,
  type State,
} from '@reprise/differ';

import { RepriseError } from '../errors.js';
import type { Channel, Content } from '../protocol/index.js';
import type { Snapshot } from '../snapshot/index.js';

import { differing, digestsIn, fromBits, LeafDescent, toBits } from './leaf-descent.js';
import type { Staging } from './staging.js';

/**
 * What happens when a proof fails: a truncated fingerprint matched by chance, or a page was damaged on
 * the way. The two sides find the leaves that differ, and their pages are sent whole.
 *
 * leafDigests: 1 byte (0 RAM, 1 disk), then the short digests of a round. leavesWanted: one bit for each.
 */

type Part = Space | 'device';

export interface SendRepairOptions {
  readonly channel: Channel;
  readonly differ: Differ;
  readonly head: Snapshot;
  readonly target: State;
  readonly broken: readonly Part[];
}

/** The source's side; settles with the number of pages that were sent again. */
export async function sendRepair(options: SendRepairOptions): Promise<number> {
  const { channel, differ, head, target, broken } = options;
  let pages = 0;
  for (const part of broken) {
    if (part === 'device') {
      await channel.send('device', await compress(await readFile(head.paths.device)));
      continue;
    }
    const leaves = await readFile(part === 'ram' ? head.paths.ramLeaves : head.paths.diskLeaves);
    const bad = pagesOfLeaves(
      await findBadLeaves(channel, part, new LeafDescent(leaves)),
      pageCount(target[part]),
    );
    pages += countPages(bad);
    for await (const { bytes } of differ.encodePages(target[part], bad, { level: 19 })) {
      await channel.send(part === 'ram' ? 'ramResidue' : 'diskResidue', bytes);
    }
  }
  return pages;
}

export interface ReceiveRepairOptions {
  readonly channel: Channel;
  readonly differ: Differ;
  readonly staging: Staging;
}

/** The destination's side; settles with the source's root, to be proved again. */
export async function receiveRepair(options: ReceiveRepairOptions): Promise<Content<'root'>> {
  const { channel, differ, staging } = options;
  const rounds: Partial<Record<Space, Round>> = {};
  for (;;) {
    const message = await channel.receive(
      'leafDigests',
      'ramResidue',
      'diskResidue',
      'device',
      'root',
    );
    switch (message.name) {
      case 'root':
        return message.content;
      case 'device':
        await staging.device(message.content, 'alone');
        break;
      case 'leafDigests':
        await channel.send('leavesWanted', await answerRound(staging, rounds, message.content));
        break;
      case 'ramResidue':
      case 'diskResidue': {
        const space = message.name === 'ramResidue' ? 'ram' : 'disk';
        staging.addPages(space, await differ.applyPages(message.content, staging.output(space)));
        break;
      }
    }
  }
}

/** Compares a level near the top, then the leaves below what differs there; runs of bad leaves. */
async function findBadLeaves(
  channel: Channel,
  space: Space,
  descent: LeafDescent,
): Promise<BigUint64Array> {
  const ask = async (digests: Uint8Array): Promise<number[]> => {
    const head = Buffer.from([space === 'ram' ? 0 : 1]);
    await channel.send('leafDigests', Buffer.concat([head, digests]));
    const { content } = await channel.receive('leavesWanted');
    return fromBits(content).filter((at) => at < digestsIn(digests));
  };
  const below = descent.leavesBelow(await ask(descent.top()));
  const bad = await ask(descent.ofLeaves(below));
  return BigUint64Array.from(bad.flatMap((i) => [BigInt(below[i] ?? 0), 1n]));
}

/** Where the destination stands in a space: before the second round it knows which leaves that is about. */
interface Round {
  readonly descent: LeafDescent;
  readonly below: readonly number[];
}

async function answerRound(
  staging: Staging,
  rounds: Partial<Record<Space, Round>>,
  message: Uint8Array,
): Promise<Uint8Array> {
  const space: Space = message[0] === 0 ? 'ram' : 'disk';
  const theirs = message.subarray(1);
  const open = rounds[space];
  const descent = open?.descent ?? new LeafDescent(await readFile(staging.leaves(space)));
  const mine = open === undefined ? descent.top() : descent.ofLeaves(open.below);
  const positions = differing(mine, theirs);
  if (positions === undefined) {
    throw new RepriseError(
      'PROTOCOL_VIOLATION',
      'The leaf digests do not fit this VM. Make sure that both hosts run the same reprise, then try again.',
    );
  }
  if (open === undefined) rounds[space] = { descent, below: descent.leavesBelow(positions) };
  else Reflect.deleteProperty(rounds, space);
  return toBits(positions, digestsIn(mine));
}
