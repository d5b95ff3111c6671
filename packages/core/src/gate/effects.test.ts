import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import { HeldKeys } from '../console/held-keys.js';
import { keysym } from '../console/keysym.js';
import type { InputEvent, InputLog } from '../input/index.js';
import { parseMachine } from '../machine/index.js';

import { readEffectRules } from './effect-rules.js';
import { emptyLedger, type FlowLedger, type FlowRecord } from './flow-record.js';
import { readLedger, writeLedger } from './ledger-file.js';
import { CAUSALITY_MS, findEffects, markedEvents } from './marks.js';
import { effectsOf } from './session-effects.js';
import { effectPolicies, withhold } from './withhold.js';

const machine = {
  ...{ version: 1, hypervisor: 'qemu', accelerator: 'tcg', memoryMiB: 96 },
  ...{ diskBytes: 1 << 20, clockBase: '2026-01-01T00:00:00', seed: 1 },
  boot: { kind: 'firmware' },
} as const;
const header = { width: 80, height: 60, held: [], buttons: 0 };
const key = (sym: number, down: boolean): InputEvent => ({ kind: 'key', keysym: sym, down });
const pointer = (buttons: number): InputEvent => ({ kind: 'pointer', x: 1, y: 1, buttons });
const a = 0x61;

/** Types 'a', Return, then clicks. */
const log: InputLog = {
  header,
  events: [
    { atMs: 1000, event: key(a, true) },
    { atMs: 1050, event: key(a, false) },
    { atMs: 2000, event: key(keysym.Return, true) },
    { atMs: 2060, event: key(keysym.Return, false) },
    { atMs: 2500, event: key(a, true) },
    { atMs: 2550, event: key(a, false) },
    { atMs: 20_000, event: pointer(1) },
    { atMs: 20_100, event: pointer(0) },
  ],
  end: { atMs: 30_000 },
};

const flow = (change: Partial<FlowRecord>, ...bursts: FlowRecord['bursts']): FlowRecord => ({
  ...{ protocol: 'tcp', address: '203.0.113.7', port: 80, application: 'http' },
  ...{ startMs: 0, endMs: 0, bytesOut: 1, bytesIn: 1, bursts },
  ...change,
});
const ledgerOf = (...list: FlowRecord[]): FlowLedger => ({ ...emptyLedger, flows: list });
const causes = (ledger: FlowLedger) =>
  findEffects(ledger, log, []).map(({ event }) => event?.index);

describe('what is an effect, and which input led to it', () => {
  test('the Return before a posted form, not the letter typed while it was sent', () => {
    expect(causes(ledgerOf(flow({}, { atMs: 2700, bytes: 9, method: 'POST' })))).toEqual([2]);
  });

  test('the click before something encrypted', () => {
    const encrypted = flow({ application: 'tls', port: 443 }, { atMs: 20_004, bytes: 500 });
    expect(causes(ledgerOf(encrypted))).toEqual([6]);
  });

  test('without Return or a button in the window, the last key', () => {
    const late = flow({}, { atMs: 2000 + CAUSALITY_MS + 100, bytes: 9, method: 'POST' });
    expect(causes(ledgerOf(late))).toEqual([4]);
  });

  test('what comes by itself is listed, and tied to nothing', () => {
    expect(causes(ledgerOf(flow({}, { atMs: 15_000, bytes: 9, method: 'PUT' })))).toEqual([
      undefined,
    ]);
  });

  test('reading, asking for names and for the time are none', () => {
    const ledger = ledgerOf(
      flow({}, { atMs: 2100, bytes: 9, method: 'GET' }),
      flow({ protocol: 'udp', port: 53, application: 'dns' }, { atMs: 2100, bytes: 9 }),
      flow({ protocol: 'udp', port: 123, application: undefined }, { atMs: 1, bytes: 9 }),
      flow({ bytesOut: 0 }),
    );
    expect(findEffects(ledger, log, [])).toEqual([]);
  });

  test('a rule of the user decides before the built-in ones', () => {
    const ledger = ledgerOf(
      flow({ name: 'cdn.example.com' }, { atMs: 2100, bytes: 9, method: 'POST' }),
      flow({ name: 'example.org' }, { atMs: 2100, bytes: 9, method: 'GET' }),
    );
    const rules = [
      { when: { name: '*.example.com' }, effect: false },
      { when: { name: 'example.org', methods: ['GET'] }, effect: true, because: 'it unsubscribes' },
    ];
    expect(findEffects(ledger, log, rules)).toEqual([
      expect.objectContaining({ because: 'it unsubscribes', method: 'GET' }),
    ]);
  });

  test('a file of rules that cannot be understood is refused, and a missing one is empty', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'reprise-rules-'));
    try {
      const path = join(directory, 'effects.json');
      expect(await readEffectRules(path)).toEqual([]);
      await writeFile(path, '{"version":1,"rules":[{"when":{"hots":"a"},"effect":false}]}');
      await expect(readEffectRules(path)).rejects.toMatchObject({ code: 'EFFECT_RULES_INVALID' });
      await writeFile(path, '{"version":1,"rules":[{"when":{"port":25},"effect":true}]}');
      expect(await readEffectRules(path)).toHaveLength(1);
    } finally {
      await rm(directory, { recursive: true });
    }
  });

  test('a ledger comes back as it was kept, and only with the key of its VM', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'reprise-ledger-'));
    try {
      const path = join(directory, 'flows');
      const ledger = ledgerOf(flow({ name: 'a.example' }, { atMs: 5, bytes: 1 }));
      const secret = Buffer.alloc(32, 1);
      expect(await readLedger(path, secret)).toBeUndefined();
      await writeLedger(path, secret, ledger);
      expect(await readLedger(path, secret)).toEqual(ledger);
      await expect(readLedger(path, Buffer.alloc(32, 2))).rejects.toMatchObject({
        code: 'INPUT_LOG_TAMPERED',
      });
    } finally {
      await rm(directory, { recursive: true });
    }
  });
});

describe('a session without a list of what it sent', () => {
  const effects = async (network: 'none' | 'user') =>
    await effectsOf(
      {
        machine: () => Promise.resolve(parseMachine({ ...machine, network })),
        secret: () => Promise.resolve(Buffer.alloc(32, 1)),
      },
      'vm',
      { paths: { inputLog: join(tmpdir(), 'reprise-no-such-directory', 'input.log') } },
      log,
      [],
    );

  test('of a machine without a network sent nothing', async () => {
    expect(await effects('none')).toBeUndefined();
  });

  test('of a machine with a network may have sent anything', async () => {
    expect(await effects('user')).toMatchObject({ complete: false, effects: [] });
  });
});

describe('what a replay does with marked events', () => {
  const marked = markedEvents(
    findEffects(
      ledgerOf(flow({}, { atMs: 2100, bytes: 9 }), flow({}, { atMs: 20_050, bytes: 9 })),
      log,
      [],
    ),
  );

  test('block: everything goes in', () => {
    expect(withhold(log, marked, 'block')).toBe(log);
  });

  test('skip: neither the press nor its release, nor the line that Return sent; the pointer still moves', () => {
    const { events, end } = withhold(log, marked, 'skip');
    expect(events.map(({ event }) => event)).toEqual([
      key(a, true),
      key(a, false),
      pointer(0),
      pointer(0),
    ]);
    expect(end).toEqual(log.end);
  });

  test('stop: up to the first one, with nothing left pressed', () => {
    const shifted: InputLog = {
      ...log,
      header: { ...header, held: [{ keysym: keysym.ShiftLeft }], buttons: 1 },
    };
    const { events, end } = withhold(shifted, marked, 'stop');
    expect(events.map(({ event }) => event)).toEqual([
      key(a, true),
      key(a, false),
      key(keysym.ShiftLeft, false),
      { kind: 'pointer', x: 0, y: 0, buttons: 0 },
    ]);
    expect(end).toEqual({ atMs: 1050 });
  });

  test('whatever was done and marked, nothing stays pressed that the user had released, and time goes on', () => {
    const anyEvent = fc.oneof(
      fc.record({
        kind: fc.constant('key' as const),
        keysym: fc.integer({ min: 0x61, max: 0x64 }),
        down: fc.boolean(),
      }),
      fc.record({
        kind: fc.constant('pointer' as const),
        x: fc.nat(9),
        y: fc.nat(9),
        buttons: fc.nat(7),
      }),
    );
    fc.assert(
      fc.property(
        fc.array(anyEvent, { maxLength: 40 }),
        fc.array(fc.nat(39)),
        fc.constantFrom(...effectPolicies),
        (events, indices, policy) => {
          const any: InputLog = {
            header,
            events: events.map((event, i) => ({ atMs: 10 * i, event })),
            end: { atMs: 1000 },
          };
          const result = withhold(any, new Set(indices.filter((i) => i < events.length)), policy);
          const [before, after] = [pressed(any), pressed(result)];
          for (const sym of after.keys) expect(before.keys).toContain(sym);
          expect(after.buttons & ~before.buttons).toBe(0);
          const times = result.events.map(({ atMs }) => atMs);
          expect(times).toEqual(times.toSorted((x, y) => x - y));
        },
      ),
    );
  });
});

function pressed({ header: start, events }: InputLog) {
  const keys = new HeldKeys(start.held);
  let buttons = start.buttons;
  for (const { event } of events) {
    if (event.kind === 'pointer') ({ buttons } = event);
    else if (event.kind === 'key') keys.apply(event);
  }
  return { keys: keys.keys().map(({ keysym: sym }) => sym), buttons };
}
