import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

import { keysym, RfbClient } from '../../console/index.js';
import { NetworkedGuest } from '../../gate/testing/networked-guest.js';

describe('what a guest has not taken of its input', () => {
  let guest: NetworkedGuest;

  beforeAll(async () => {
    guest = await NetworkedGuest.prepare();
  });

  afterAll(async () => {
    await guest[Symbol.asyncDispose]();
  });

  test('is nothing at rest, and nothing again soon after a burst that its devices hold', async () => {
    await guest.resumed({ gate: 'closed' }, async ({ vm }) => {
      await using display = await RfbClient.connect(vm.display);
      const backlog = async () => await vm.inputBacklog?.();
      const settles = async () => {
        const deadline = Date.now() + 60_000;
        while ((await backlog()) !== 0 && Date.now() < deadline);
        return await backlog();
      };
      expect(await settles()).toBe(0);
      display.press('Return');
      display.pointer(10, 10, 1);
      display.pointer(10, 10, 0);
      await display.screenshot();
      expect(await settles()).toBe(0);
      // In one piece: QEMU hands it over before the guest runs again.
      const taps = Array.from({ length: 10 }, () => [true, false]).flat();
      display.send(
        ...taps.map((down) => ({ kind: 'key' as const, keysym: keysym.ShiftLeft, down })),
      );
      expect(await settles()).toBe(0);
    });
  }, 300_000);
});
