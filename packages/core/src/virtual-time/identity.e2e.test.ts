import { fileURLToPath } from 'node:url';

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

import type { QemuOptions } from '../hypervisor/qemu/qemu.js';
import { TICK_NS } from '../hypervisor/virtual-clock.js';

import { keepBusy } from './host-load.js';
import { bootTinyTrial, typing } from './testing/tiny-trial.js';
import type { PlayTrial, Trial, TrialGuest } from './trial-guest.js';

/** The plugin whose rules can be switched off. */
const MUTANT = fileURLToPath(
  new URL('../../../qemu-vclock/build/plugin/vclock-mutant.so', import.meta.url),
);

/** Starts QEMU with the mutant in place of the plugin, and one of its rules off. */
function without(rule: 'inject-at-once' | 'disk-batches'): QemuOptions {
  return {
    rewriteArguments: (args) =>
      args.map((arg) =>
        arg.replace(/^file=.*?vclock\.so,(.*)$/, `file=${MUTANT},$1,mutation=${rule}`),
      ),
  };
}

/** Starts QEMU with another argument in place of the one that matches. */
function instead(of: RegExp, put: string): QemuOptions {
  return { rewriteArguments: (args) => args.map((arg) => arg.replace(of, put)) };
}

const withAnnouncing = instead(/,guest_announce=off/, '');
const withIoeventfd = instead(/^(virtio-blk.*),ioeventfd=off/, '$1');

/** Broadcasts that nobody answers, many at a time; they leave the guest all the same. */
const TRAFFIC = [
  'ip link set eth0 up; ip addr add 10.0.2.15/24 dev eth0 #300',
  'for i in 1 2 3 4 5 6 7 8 9; do arping -c 1 -w 1 -I eth0 10.0.2.$i; done >/dev/null #3000',
  'dd if=/dev/zero bs=1k count=200 | nc -u -w 1 10.0.2.255 9 #1500',
];

/** Enough disk traffic, programs and idling that a departure from any rule shows. */
const SESSION = [
  'cd; ls -l; seq 1 4000 > n; sort -r n > m; sync #1200',
  'for i in 1 2 3; do tar czf p$i.tgz n m; done; md5sum p*; sync #2500',
  'cat p1.tgz p2.tgz | md5sum; rm p2.tgz; date; sync #1000',
  // Memory that is freed, and handed back by the balloon two seconds later.
  'dd if=/dev/zero of=/dev/null bs=24M count=1 #3000',
];

/** Long enough to come to the prompt again. */
const REBOOT = ['reboot -f #15000', 'date > x; sync #1000'];

const CAPS_LOCK = 0x3a;

/** The keyboard's lamps are told of what the guest makes of its keys. */
const play: PlayTrial = async (put) => {
  for (const down of [true, false, true, false])
    await put({ kind: 'key', number: CAPS_LOCK, down });
  await typing(SESSION)(put);
};

describe('a session in virtual time', () => {
  let guest: TrialGuest;
  let trial: Trial;

  beforeAll(async () => {
    guest = await bootTinyTrial({ network: 'user' });
    trial = await guest.record(play);
  }, 300_000);

  afterAll(async () => {
    await guest[Symbol.asyncDispose]();
  });

  test('takes its input at whole ticks', () => {
    expect(trial.events.length).toBeGreaterThan(200);
    expect(trial.events.every(({ atNs }) => atNs % TICK_NS === 0)).toBe(true);
    expect(trial.stopNs % TICK_NS).toBe(0);
  });

  test('is marked twice a second, each mark unlike the one before', () => {
    const { marks } = trial.end;
    expect(marks.length).toBe(Math.floor(trial.stopNs / 500_000_000));
    for (const [i, mark] of marks.entries()) {
      expect(mark.atNs).toBe((i + 1) * 500_000_000);
      expect(mark.instructions).toBeGreaterThan(marks[i - 1]?.instructions ?? 0);
      expect(mark.memory).not.toBe(marks[i - 1]?.memory);
    }
    const last = marks.at(-1);
    expect(last?.diskRequests).toBeGreaterThan(marks[0]?.diskRequests ?? 0);
    expect(last?.disk).not.toBe(marks[0]?.disk);
    expect(last?.input).not.toBe(marks[0]?.input);
  });

  test('replays bit for bit: memory, disk, devices', async () => {
    expect(await guest.replay(trial)).toEqual(trial.end);
  });

  test('replays bit for bit while others use the CPUs', async () => {
    await using _load = keepBusy();
    expect(await guest.replay(trial)).toEqual(trial.end);
  });

  test('can be recorded while others use the CPUs, and replays bit for bit without them', async () => {
    const loaded = await (async () => {
      await using _load = keepBusy();
      return await guest.record(typing(SESSION.slice(0, 2)));
    })();
    expect(await guest.replay(loaded)).toEqual(loaded.end);
  });

  // Each of the rules taken away: what the tests above would look like without it.
  test('is lost when input does not wait for a tick', async () => {
    const recorded = await guest.record(typing(SESSION.slice(0, 1)), without('inject-at-once'));
    expect((await guest.replay(recorded)).ram).not.toBe(recorded.end.ram);
  });

  test('is lost when the disk takes a whole kick at once', async () => {
    const replayed = await guest.replay(trial, without('disk-batches'));
    expect(replayed.ram).not.toBe(trial.end.ram);
    // Nobody has to wait for the end to see it.
    const first = trial.end.marks.findIndex(
      (mark, i) => JSON.stringify(mark) !== JSON.stringify(replayed.marks[i]),
    );
    expect(first).toBeGreaterThanOrEqual(0);
    expect(first).toBeLessThan(trial.end.marks.length / 2);
  });

  test('is lost when the disk is kicked through an event descriptor', async () => {
    expect((await guest.replay(trial, withIoeventfd)).ram).not.toBe(trial.end.ram);
  });

  test('is lost when a guest is asked to announce its network card after a resume', async () => {
    await using asked = await bootTinyTrial({ network: 'user' }, withAnnouncing);
    const recorded = await asked.record(typing(SESSION.slice(0, 1)));
    const replayed = await asked.replay(recorded, { announceRounds: 5 });
    expect(replayed.ram).not.toBe(recorded.end.ram);
  });

  describe('in which the guest boots again', () => {
    let again: Trial;

    beforeAll(async () => {
      again = await guest.record(typing(REBOOT));
    }, 120_000);

    test('replays bit for bit', async () => {
      expect(await guest.replay(again)).toEqual(again.end);
    });

    test("is lost when the machine's own clock is the host's", async () => {
      const replayed = await guest.replay(again, instead(/,clock=vm/, ',clock=host'));
      expect(replayed.ram).not.toBe(again.end.ram);
    });
  });

  describe('with traffic on the network', () => {
    let sent: Trial;

    beforeAll(async () => {
      sent = await guest.record(typing(TRAFFIC));
    }, 120_000);

    test('replays bit for bit', async () => {
      expect(sent.end.marks.at(-1)?.framesSent).toBeGreaterThan(5);
      expect(await guest.replay(sent)).toEqual(sent.end);
    });

    test('is lost when the card is kicked through an event descriptor', async () => {
      const replayed = await guest.replay(sent, instead(/^(virtio-net.*),ioeventfd=off/, '$1'));
      expect(replayed.ram).not.toBe(sent.end.ram);
    });

    test('is lost when the card sends whenever the main loop is ready', async () => {
      const replayed = await guest.replay(sent, instead(/^(virtio-net.*),tx=timer/, '$1'));
      expect(replayed.ram).not.toBe(sent.end.ram);
    });
  });
});
