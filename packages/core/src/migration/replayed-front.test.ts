import { expect, test } from '@jest/globals';

import { RepriseError } from '../errors.js';

import { ReplayedFront } from './replayed-front.js';

const nothing = { blocks: [], digests: new Uint8Array(0), nextSequence: 9n };

/** A disk whose every answer a test gives; the front asks again each millisecond. */
function frontOver(written: (againFrom: bigint, fromSequence: bigint) => typeof nothing) {
  const troubles: string[] = [];
  const asked: [bigint, bigint][] = [];
  const front = new ReplayedFront({
    disk: {
      written: ({ againFrom, fromSequence }) => {
        asked.push([againFrom, fromSequence]);
        return Promise.resolve().then(() => written(againFrom, fromSequence));
      },
    },
    key: new Uint8Array(32),
    tell: () => Promise.resolve(),
    onTrouble: (why) => troubles.push(why),
    everyMs: 1,
  });
  const until = async (rounds: number) => {
    while (asked.length < rounds) await new Promise((resolve) => setTimeout(resolve, 1));
  };
  return { front, troubles, asked, until };
}

test('each round asks once more for what the one before told', async () => {
  const { front, asked, until } = frontOver((_, from) => ({ ...nothing, nextSequence: from + 5n }));
  await until(3);
  await front.close();
  expect(asked.slice(0, 3)).toEqual([
    [0n, 0n],
    [0n, 5n],
    [5n, 10n],
  ]);
});

test('a disk that is started again costs a round; one that never answers is reported, once, and asked on', async () => {
  let failing = false;
  const { front, troubles, asked, until } = frontOver(() => {
    if (failing || asked.length === 1)
      throw new RepriseError('DISK_UNAVAILABLE', 'The disk does not answer. Try again.');
    return nothing;
  });
  await until(3);
  expect(asked.slice(0, 3)).toEqual([
    [0n, 0n],
    [0n, 0n],
    [0n, 9n],
  ]);
  expect(troubles).toEqual([]);
  failing = true;
  await until(40);
  await front.close();
  expect(troubles).toEqual([expect.stringContaining('does not answer')]);
});
