import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import { RepriseError } from '../errors.js';
import type { InputLog } from '../input/index.js';
import { anyLog } from '../input/testing/arbitraries.js';
import { parseMachine } from '../machine/index.js';

import { packSessions, unpackSessions, whyInexact, whyNotExact } from './exact-replay.js';

const machine = parseMachine({
  ...{ version: 1, hypervisor: 'qemu', accelerator: 'tcg', clock: 'virtual' },
  ...{ memoryMiB: 64, diskBytes: 4096, boot: { kind: 'firmware' }, seed: 1 },
  clockBase: '2026-01-01T00:00:00',
});
const header = { width: 640, height: 480, held: [], buttons: 0 };
const log: InputLog = { header: { ...header, virtual: { startNs: 5n } }, events: [] };

describe('a replay in virtual time', () => {
  test('is done where both hosts can and every session was recorded so', () => {
    expect(whyNotExact(machine, { ready: true }, [log])).toBeUndefined();
  });

  test('is not tried, for a reason that names who lacks what', () => {
    expect(whyNotExact(machine, undefined, [log])).toMatch(/this host/);
    const because = 'its QEMU is another build';
    expect(whyNotExact(machine, { ready: false, because }, [log])).toMatch(
      /destination.*another build/,
    );
    expect(whyNotExact(machine, { ready: true }, [log, { header, events: [] }])).toMatch(
      /not recorded/,
    );
  });

  test('is not promised to be exact where the log lacks frames, or input is kept from it', () => {
    expect(whyInexact({ logs: [log] })).toBeUndefined();
    expect(whyInexact({ logs: [log, { ...log, framesMissingFromMs: 40 }] })).toMatch(/frames/);
    const effects = { policy: 'skip', withheld: 2 } as const;
    expect(whyInexact({ logs: [log], effects })).toMatch(/--effects skip/);
    expect(whyInexact({ logs: [log], effects: { ...effects, withheld: 0 } })).toBeUndefined();
  });

  test('is no question for a machine under the clock of its host', () => {
    expect(whyNotExact({ ...machine, clock: 'host' }, undefined, [log])).toBeUndefined();
  });
});

describe('the logs of several sessions', () => {
  test('travel as they were', () => {
    fc.assert(
      fc.property(fc.array(anyLog, { minLength: 1, maxLength: 4 }), (logs) => {
        expect(unpackSessions(packSessions(logs))).toEqual(logs);
      }),
      { numRuns: 30 },
    );
  });

  test('are refused when they were cut off or are something else', () => {
    const packed = packSessions([log, log]);
    for (let length = 0; length < packed.length; length++) {
      expect(() => unpackSessions(packed.subarray(0, length))).toThrow(RepriseError);
    }
    expect(() => unpackSessions(Buffer.concat([packed, Buffer.alloc(1)]))).toThrow(RepriseError);
  });
});
