/** What a log may hold, for property tests. */
import fc from 'fast-check';

import type {
  Anchor,
  InputEvent,
  InputLog,
  InputLogHeader,
  SessionMark,
  TimedFrame,
  TimedInput,
} from '../input-event.js';
import { inputLimits, TICK_MS } from '../input-event.js';

const u16 = fc.nat(0xffff);
const u32 = fc.nat(0xffff_ffff);
const sym = fc.oneof(
  fc.integer({ min: 0x20, max: 0x7e }),
  fc.constantFrom(0xff0d, 0xffe1, 0xff08, 0x1002603),
  u32,
);

const key: fc.Arbitrary<InputEvent> = fc.record({
  kind: fc.constant('key' as const),
  down: fc.boolean(),
  keysym: sym,
});
const extendedKey: fc.Arbitrary<InputEvent> = fc.record({
  kind: fc.constant('extended-key' as const),
  down: fc.boolean(),
  keysym: sym,
  keycode: fc.oneof(fc.nat(0x7f), u32),
});
const pointer: fc.Arbitrary<InputEvent> = fc.record({
  kind: fc.constant('pointer' as const),
  x: u16,
  y: u16,
  buttons: fc.nat(0xff),
});
const resize: fc.Arbitrary<InputEvent> = fc.record({
  kind: fc.constant('resize' as const),
  width: u16,
  height: u16,
  screens: fc.array(fc.record({ id: u32, x: u16, y: u16, width: u16, height: u16, flags: u32 }), {
    maxLength: 3,
  }),
});
const clipboard: fc.Arbitrary<InputEvent> = fc.oneof(
  fc.record({
    kind: fc.constant('clipboard' as const),
    extended: fc.constant(false),
    data: fc.uint8Array({ maxLength: 40 }),
  }),
  fc.record({
    kind: fc.constant('clipboard' as const),
    extended: fc.constant(true),
    data: fc.uint8Array({ minLength: 4, maxLength: 40 }),
  }),
);

export const anyEvent: fc.Arbitrary<InputEvent> = fc.oneof(
  { weight: 5, arbitrary: key },
  { weight: 3, arbitrary: extendedKey },
  { weight: 4, arbitrary: pointer },
  resize,
  clipboard,
);

export const anyAnchor: fc.Arbitrary<Anchor> = fc.record({
  digest: fc
    .uint8Array({ minLength: 8, maxLength: 8 })
    .map((bytes) => Buffer.from(bytes).toString('hex')),
  width: fc.nat(4096),
  height: fc.nat(4096),
  mask: fc.array(fc.record({ x: fc.nat(99), y: fc.nat(99), width: fc.nat(9), height: fc.nat(9) }), {
    maxLength: 4,
  }),
  cpuMs: fc.nat(1_000_000).map((ticks) => ticks * TICK_MS),
});

export const anyHeader: fc.Arbitrary<InputLogHeader> = fc.record(
  {
    width: fc.nat(4096),
    height: fc.nat(4096),
    buttons: fc.nat(0xff),
    held: fc.uniqueArray(fc.record({ keysym: sym, keycode: u32 }, { requiredKeys: ['keysym'] }), {
      maxLength: 4,
      selector: ({ keysym, keycode }) => `${keysym}/${keycode ?? ''}`,
    }),
    pointer: fc.record({ x: u16, y: u16 }),
    virtual: fc.record(
      {
        startNs: fc.bigInt({ min: 0n, max: 2n ** 62n }),
        markEveryMs: fc.integer({ min: 1, max: 1000 }).map((ticks) => ticks * TICK_MS),
      },
      { requiredKeys: ['startNs'] },
    ),
  },
  { requiredKeys: ['width', 'height', 'buttons', 'held'] },
);

/** Counts only grow, but those of frames come round; marks may be missing in between. */
const anyMarks = fc.array(
  fc.record({
    skipped: fc.nat(3),
    executed: fc.nat(2 ** 31),
    requested: fc.nat(5000),
    framesReceived: u16,
    framesSent: u16,
    disk: u32,
    input: u32,
    memory: u32,
  }),
  { maxLength: 8 },
);

/** Times are whole ticks, as a log keeps them. */
export const anyLog: fc.Arbitrary<InputLog> = fc
  .record({
    header: anyHeader,
    inputs: fc.array(
      fc.record({
        gap: fc.nat(5000),
        event: anyEvent,
        anchor: fc.option(anyAnchor, { nil: undefined, freq: 4 }),
        frames: fc.array(fc.uint8Array({ minLength: 1, maxLength: 60 }), { maxLength: 2 }),
      }),
      { maxLength: 60 },
    ),
    end: fc.option(
      fc.record({ gap: fc.nat(5000), anchor: fc.option(anyAnchor, { nil: undefined }) }),
      { nil: undefined },
    ),
    framesMissing: fc.boolean(),
    marks: anyMarks,
  })
  .map(({ header, inputs, end, framesMissing, marks: steps }) => {
    let ticks = 0;
    const at = ({
      gap,
      anchor,
    }: {
      readonly gap: number;
      readonly anchor: Anchor | undefined;
    }): { atMs: number; anchor?: Anchor } => {
      ticks += gap;
      return anchor === undefined ? { atMs: ticks * TICK_MS } : { atMs: ticks * TICK_MS, anchor };
    };
    const frames: TimedFrame[] = [];
    const events = inputs.map((input, index): TimedInput => {
      const timed = { ...at(input), event: input.event };
      const { atMs } = timed;
      frames.push(...input.frames.map((bytes) => ({ atMs, after: index + 1, bytes })));
      return timed;
    });
    const lastMs = ticks * TICK_MS;
    let [number, instructions, diskRequests] = [0, 0, 0];
    const marks = steps.map(({ skipped, executed, requested, ...rest }): SessionMark => {
      number += 1 + skipped;
      instructions = (instructions + executed) % inputLimits.markInstructions;
      diskRequests += requested;
      const atMs = number * (header.virtual?.markEveryMs ?? 0);
      return { atMs, instructions, diskRequests, ...rest };
    });
    const marked = header.virtual?.markEveryMs !== undefined && marks.length > 0;
    return {
      ...{ header, events },
      ...(header.virtual === undefined || frames.length === 0 ? {} : { frames }),
      ...(marked ? { marks } : {}),
      ...(header.virtual === undefined || !framesMissing ? {} : { framesMissingFromMs: lastMs }),
      ...(end === undefined ? {} : { end: at(end) }),
    };
  });
