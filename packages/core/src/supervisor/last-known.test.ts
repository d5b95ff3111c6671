import { setTimeout as sleep } from 'node:timers/promises';

import { describe, expect, test } from '@jest/globals';

import { LastKnown } from './last-known.js';

describe('the last known answer', () => {
  test('is that to the question, where it comes in time', async () => {
    let count = 0;
    const known = new LastKnown(() => Promise.resolve(++count));
    expect(await known.get(1000)).toEqual({ value: 1, ageMs: 0 });
    expect(await known.get(1000)).toEqual({ value: 2, ageMs: 0 });
  });

  test('is an earlier one while nobody answers, and the question is not asked twice', async () => {
    const answers: ((value: number) => void)[] = [];
    const known = new LastKnown(() => new Promise<number>((resolve) => answers.push(resolve)));
    const none = await known.get(1);
    expect(none.value).toBeUndefined();
    expect(none.ageMs).toBeGreaterThan(0);
    answers[0]?.(7);
    await sleep(1);
    const asked = known.get(20);
    const askedToo = known.get(20);
    expect((await asked).value).toBe(7);
    expect((await asked).ageMs).toBeGreaterThan(0);
    expect((await askedToo).value).toBe(7);
    expect(answers).toHaveLength(2);
    answers[1]?.(8);
    await sleep(1);
    expect((await known.get(1)).value).toBe(8);
  });

  test('is no answer where the question fails', async () => {
    const known = new LastKnown(() => Promise.reject(new Error('gone')));
    await expect(known.get(1000)).rejects.toThrow('gone');
  });
});
