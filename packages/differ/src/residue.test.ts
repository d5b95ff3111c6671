import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import fc from 'fast-check';
import { copyFile, mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  Differ,
  fileImage,
  PAGE_SIZE,
  type Answers,
  type EncodeOptions,
  type ResidueFrame,
  type State,
} from './index.js';

const RAM_PAGES = 96;
const DISK_PAGES = 80; // more than one frame carries
jest.setTimeout(60_000); // a loaded machine flushes slowly
const key = new Uint8Array(32).map((_, i) => i * 7 + 1);

let home: string;
let differ: Differ;
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'differ-residue-'));
  differ = new Differ({ threads: 2, fingerprint: { algorithm: 'xxh3', key } });
});
afterAll(async () => {
  await differ.close();
  await rm(home, { recursive: true, force: true });
});

/** What a page is made of; small numbers, so that equal contents are common. */
type Content =
  | { kind: 'zero' }
  | { kind: 'pattern'; seed: number } // incompressible, equal for equal seeds
  | { kind: 'edited'; seed: number; at: number; value: number }; // a pattern with a few bytes changed

function contentBytes(content: Content): Buffer {
  const page = Buffer.alloc(PAGE_SIZE);
  if (content.kind === 'zero') return page;
  let state = content.seed * 2654435761 + 12345;
  for (let i = 0; i < PAGE_SIZE; i += 4) {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    page.writeInt32LE(state ^ (state >>> 13), i);
  }
  if (content.kind === 'edited') {
    for (let i = 0; i < 5; i++) page[(content.at + i * 97) % PAGE_SIZE] = content.value;
  }
  return page;
}

const content: fc.Arbitrary<Content> = fc.oneof(
  { weight: 2, arbitrary: fc.constant<Content>({ kind: 'zero' }) },
  {
    weight: 5,
    arbitrary: fc.record({ kind: fc.constant('pattern' as const), seed: fc.nat({ max: 40 }) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('edited' as const),
      seed: fc.nat({ max: 40 }),
      at: fc.nat({ max: PAGE_SIZE - 1 }),
      value: fc.nat({ max: 255 }),
    }),
  },
);
/** A session writes runs of pages: new content, or pages moved from elsewhere. */
interface Write {
  readonly space: 'ram' | 'disk';
  readonly at: number;
  readonly pages: readonly Content[];
  readonly movedFrom: number | undefined;
}
const write: fc.Arbitrary<Write> = fc.record({
  space: fc.constantFrom('ram' as const, 'disk' as const),
  at: fc.nat({ max: RAM_PAGES - 1 }),
  pages: fc.array(content, { minLength: 1, maxLength: 12 }),
  movedFrom: fc.option(fc.nat({ max: RAM_PAGES - 1 }), { nil: undefined }),
});

interface Memory {
  ram: Buffer;
  disk: Buffer;
}
function copy(memory: Memory): Memory {
  return { ram: Buffer.from(memory.ram), disk: Buffer.from(memory.disk) };
}
function perform(memory: Memory, writes: readonly Write[]): Memory {
  const out = copy(memory);
  for (const { space, at, pages, movedFrom } of writes) {
    pages.forEach((page, i) => {
      const image = out[space];
      const offset = (at + i) * PAGE_SIZE;
      if (offset >= image.length) return;
      const from = movedFrom === undefined ? -1 : (movedFrom + i) * PAGE_SIZE;
      const bytes = from < 0 ? contentBytes(page) : memory.ram.subarray(from, from + PAGE_SIZE);
      bytes.copy(image, offset, 0, Math.min(bytes.length, image.length - offset));
    });
  }
  return out;
}

let states = 0;
async function store(memory: Memory): Promise<{ state: State; ram: string; disk: string }> {
  const number = ++states;
  const ram = join(home, `ram-${number}`);
  const disk = join(home, `disk-${number}`);
  await writeFile(ram, memory.ram);
  await writeFile(disk, memory.disk);
  return { state: { ram: await fileImage(ram), disk: await fileImage(disk) }, ram, disk };
}

async function changedPages(base: State, other: State) {
  return {
    ram: await differ.compare(base.ram, other.ram),
    disk: await differ.compare(base.disk, other.disk),
  };
}

interface Scenario {
  readonly base: Awaited<ReturnType<typeof store>>;
  readonly target: Awaited<ReturnType<typeof store>>;
  readonly replay: Awaited<ReturnType<typeof store>> | undefined;
  readonly output: { ram: string; disk: string };
  readonly expected: Memory;
}
async function scenario(base: Memory, target: Memory, replay?: Memory): Promise<Scenario> {
  const stored = await store(base);
  const output = { ram: join(home, `out-ram-${states}`), disk: join(home, `out-disk-${states}`) };
  await copyFile(stored.ram, output.ram);
  return {
    base: stored,
    target: await store(target),
    replay: replay === undefined ? undefined : await store(replay),
    output,
    expected: target,
  };
}
async function remove(s: Scenario): Promise<void> {
  const files = [s.base, s.target, s.replay, s.output].flatMap((f) => (f ? [f.ram, f.disk] : []));
  await Promise.all(
    [...files, `${s.base.ram}.index`].map((file) => rm(file, { recursive: true, force: true })),
  );
}

/** Plans, asks, encodes; hands back frames and what the applier needs. */
async function encode(
  s: Scenario,
  options: EncodeOptions & { questionBits?: number } = {},
): Promise<{ frames: ResidueFrame[]; answers: Answers | undefined }> {
  const base = s.base.state;
  const indexPath = `${s.base.ram}.index`;
  await differ.buildIndex(base, indexPath);
  const { questionBits, ...encodeOptions } = options;
  await using plan = await differ.planResidue({
    base,
    target: s.target.state,
    changed: await changedPages(base, s.target.state),
    indexPath,
    ...(questionBits === undefined ? {} : { questionBits }),
  });
  let answers: Answers | undefined;
  const rounds: Uint8Array[] = [];
  if (s.replay !== undefined) {
    const changed = await changedPages(base, s.replay.state);
    const asked = { base, replay: s.replay.state, changed };
    answers = await differ.answerQuestions({ questions: plan.questions, ...asked });
    rounds.push(answers.bits);
    const questions = await plan.moreQuestions(answers.bits);
    if (questions !== undefined) {
      answers = await differ.answerQuestions({ questions, ...asked, earlier: answers });
      rounds.push(answers.bits);
    }
  }
  const frames: ResidueFrame[] = [];
  const known = rounds.length === 0 ? {} : { known: rounds };
  for await (const frame of plan.encode({ ...known, level: 3, ...encodeOptions })) {
    frames.push(frame);
  }
  return { frames, answers };
}

/** The state that the outputs describe: RAM as patched, the disk's written blocks over the base's. */
async function apply(
  s: Scenario,
  frames: readonly { bytes: Uint8Array }[],
  answers: Answers | undefined,
): Promise<Memory> {
  await using applier = await differ.applyResidue({
    base: s.base.state,
    output: s.output,
    ...(s.replay !== undefined && answers !== undefined ? { replay: s.replay.state, answers } : {}),
  });
  for (const frame of frames) await applier.apply(frame.bytes);
  const { disk } = await applier.finish();
  const patched = await readFile(s.base.disk);
  const written = await readFile(s.output.disk);
  for (let i = 0; i + 1 < disk.length; i += 2) {
    const from = Number(disk[i]) * PAGE_SIZE;
    written.copy(patched, from, from, from + Number(disk[i + 1]) * PAGE_SIZE);
  }
  return { ram: await readFile(s.output.ram), disk: patched };
}

function isSame(a: Memory, b: Memory): boolean {
  return a.ram.equals(b.ram) && a.disk.equals(b.disk);
}

const baseMemory = fc
  .record({
    ram: fc.array(content, { minLength: RAM_PAGES, maxLength: RAM_PAGES }),
    disk: fc.array(content, { minLength: DISK_PAGES, maxLength: DISK_PAGES }),
  })
  .map(({ ram, disk }) => ({
    ram: Buffer.concat(ram.map(contentBytes)),
    // A disk need not be a whole number of pages: the last sectors of this one are half a page.
    disk: Buffer.concat(disk.map(contentBytes)).subarray(0, DISK_PAGES * PAGE_SIZE - 2048),
  }));

describe('a residue', () => {
  test('brings exactly the source’s state, whatever the session and the replay did', async () => {
    await fc.assert(
      fc.asyncProperty(
        baseMemory,
        fc.array(write, { maxLength: 12 }),
        fc.option(fc.array(write, { maxLength: 12 }), { nil: undefined }),
        fc.nat({ max: 12 }),
        fc.constantFrom<number | 'adaptive'>(3, 19, 'adaptive'),
        async (base, session, replayed, shared, level) => {
          const target = perform(base, session);
          const replay =
            replayed === undefined
              ? undefined
              : perform(perform(base, session.slice(0, shared)), replayed);
          const s = await scenario(base, target, replay);
          try {
            const { frames, answers } = await encode(s, { level });
            expect(isSame(await apply(s, frames, answers), target)).toBe(true);
          } finally {
            await remove(s);
          }
        },
      ),
      { numRuns: 40, endOnFailure: true },
    );
  }, 400_000);

  test('never builds on answers that matched by chance, however short the questions', async () => {
    await fc.assert(
      fc.asyncProperty(
        baseMemory,
        fc.array(write, { minLength: 1, maxLength: 8 }),
        fc.array(write, { minLength: 1, maxLength: 8 }),
        fc.integer({ min: 1, max: 3 }),
        async (base, session, replayed, questionBits) => {
          const target = perform(base, session);
          const s = await scenario(base, target, perform(base, replayed));
          try {
            const { frames, answers } = await encode(s, { questionBits });
            expect(isSame(await apply(s, frames, answers), target)).toBe(true);
          } finally {
            await remove(s);
          }
        },
      ),
      { numRuns: 20, endOnFailure: true },
    );
  }, 400_000);

  const pattern = (seed: number): Buffer => contentBytes({ kind: 'pattern', seed });
  const memoryOf = (page: (i: number) => Buffer): Memory => ({
    ram: Buffer.concat(Array.from({ length: RAM_PAGES }, (_, i) => page(i))),
    disk: Buffer.concat(Array.from({ length: DISK_PAGES }, (_, i) => page(i + 1000))),
  });
  test.each([
    ['all pages equal', () => memoryOf(() => pattern(1)), () => memoryOf(() => pattern(2))],
    ['all pages moved', () => memoryOf((i) => pattern(i)), () => memoryOf((i) => pattern(i + 1))],
    ['all pages new', () => memoryOf((i) => pattern(i)), () => memoryOf((i) => pattern(i + 9999))],
    [
      'all pages zeroed',
      () => memoryOf((i) => pattern(i)),
      () => memoryOf(() => Buffer.alloc(PAGE_SIZE)),
    ],
    [
      'all pages random, twice',
      () => memoryOf((i) => pattern(i)),
      () => memoryOf((i) => pattern((i % 2) + 777)),
    ],
    ['nothing changed', () => memoryOf((i) => pattern(i)), () => memoryOf((i) => pattern(i))],
  ])('survives the extreme: %s', async (_, base, target) => {
    const s = await scenario(base(), target(), target());
    try {
      const { frames, answers } = await encode(s);
      expect(isSame(await apply(s, frames, answers), s.expected)).toBe(true);
    } finally {
      await remove(s);
    }
  });

  test('of a moved region costs a few bytes, not a few a page', async () => {
    const base = memoryOf((i) => pattern(i));
    const target = copy(base);
    base.ram.copy(target.ram, 40 * PAGE_SIZE, 3 * PAGE_SIZE, 35 * PAGE_SIZE);
    const s = await scenario(base, target);
    try {
      const { frames } = await encode(s);
      expect(frames.reduce((sum, frame) => sum + frame.bytes.length, 0)).toBeLessThan(32);
    } finally {
      await remove(s);
    }
  });

  test('finds memory on the disk and disk in the memory', async () => {
    const base = memoryOf((i) => pattern(i));
    const target = copy(base);
    base.disk.copy(target.ram, 0, 8 * PAGE_SIZE, 16 * PAGE_SIZE);
    base.ram.copy(target.disk, 0, 50 * PAGE_SIZE, 58 * PAGE_SIZE);
    const s = await scenario(base, target);
    try {
      const { frames } = await encode(s);
      expect(frames.map((frame) => [frame.space, frame.counts.base])).toEqual([
        ['disk', 8],
        ['ram', 8],
      ]);
    } finally {
      await remove(s);
    }
  });

  test('asks a perfect replay about everything new and then carries nothing', async () => {
    const target = memoryOf((i) => pattern(i + 9999));
    const s = await scenario(
      memoryOf((i) => pattern(i)),
      target,
      target,
    );
    try {
      const { frames, answers } = await encode(s);
      expect(answers?.known).toBe(RAM_PAGES + DISK_PAGES);
      expect(frames.every((frame) => frame.counts.delta === 0)).toBe(true);
      expect(isSame(await apply(s, frames, answers), target)).toBe(true);
    } finally {
      await remove(s);
    }
  });

  test('that are cut so short that they collide cost matches, never content', async () => {
    const target = memoryOf((i) => pattern(i + 9999));
    const s = await scenario(
      memoryOf((i) => pattern(i)),
      target,
      memoryOf((i) => pattern(i + (i % 3 === 0 ? 9999 : 5555))),
    );
    try {
      const { frames, answers } = await encode(s, { questionBits: 1 });
      expect(isSame(await apply(s, frames, answers), target)).toBe(true);
    } finally {
      await remove(s);
    }
  });

  test('are asked once more, about any place, when a replay has put things elsewhere', async () => {
    const target = memoryOf((i) => pattern(i + 9999));
    const s = await scenario(
      memoryOf((i) => pattern(i)),
      target,
      memoryOf((i) => pattern((i ^ 1) + 9999)),
    );
    try {
      const { frames, answers } = await encode(s);
      expect(answers?.known).toBe(RAM_PAGES + DISK_PAGES);
      expect(isSame(await apply(s, frames, answers), target)).toBe(true);
    } finally {
      await remove(s);
    }
  });

  test('answered wrongly make a wrong state, and the proof says so', async () => {
    const target = memoryOf((i) => pattern(i + 9999));
    const s = await scenario(
      memoryOf((i) => pattern(i)),
      target,
      target,
    );
    try {
      const { frames, answers } = await encode(s);
      if (answers === undefined) throw new Error('nothing was answered');
      const wrong = { ...answers, locations: answers.locations.toReversed() };
      expect(isSame(await apply(s, frames, wrong), target)).toBe(false);
      const leaves = join(home, 'leaves');
      const wanted = await differ.hashLeaves(s.target.state.ram, leaves);
      const { proved } = await differ.proveResidue({
        baseLeavesPath: leaves,
        image: await fileImage(s.output.ram),
        changed: BigUint64Array.of(0n, BigInt(RAM_PAGES)),
        leavesPath: `${leaves}-new`,
        expectedRoot: wanted,
      });
      expect(proved).toBe(false);
    } finally {
      await remove(s);
    }
  });

  test('sends the disk in the order asked for', async () => {
    const base = memoryOf((i) => pattern(i));
    const target = memoryOf((i) => pattern(i + 9999));
    const s = await scenario(base, target);
    try {
      const order = BigUint64Array.from({ length: DISK_PAGES * 2 }, (_, i) =>
        i % 2 === 0 ? BigInt(DISK_PAGES - 1 - i / 2) : 1n,
      );
      const { frames } = await encode(s, { diskOrder: order, spaces: ['disk'] });
      await using applier = await differ.applyResidue({ base: s.base.state, output: s.output });
      // A frame carries 64 pages: the first one must bring the last 64 of the disk.
      await applier.apply(frames[0]?.bytes ?? new Uint8Array());
      expect((await applier.applied()).disk).toEqual(BigUint64Array.of(16n, 64n));
      await applier.apply(frames[1]?.bytes ?? new Uint8Array());
      expect((await applier.applied()).disk).toEqual(BigUint64Array.of(0n, BigInt(DISK_PAGES)));
    } finally {
      await remove(s);
    }
  });

  test('continues where an interrupted applier stopped', async () => {
    const base = memoryOf((i) => pattern(i));
    const target = memoryOf((i) => pattern(i + 9999));
    const s = await scenario(base, target);
    try {
      const first = await encode(s);
      const begun = await differ.applyResidue({ base: s.base.state, output: s.output });
      await begun.apply(first.frames[0]?.bytes ?? new Uint8Array());
      const applied = await begun.applied();
      await begun.close();
      const rest = await encode(s, { applied });
      expect(rest.frames.length).toBe(first.frames.length - 1);
      await using applier = await differ.applyResidue({
        base: s.base.state,
        output: s.output,
        applied,
      });
      for (const frame of rest.frames) await applier.apply(frame.bytes);
      const done = await applier.finish();
      expect(done.ram).toEqual(BigUint64Array.of(0n, BigInt(RAM_PAGES)));
      expect((await readFile(s.output.ram)).equals(target.ram)).toBe(true);
    } finally {
      await remove(s);
    }
  });
});

describe('frames out of order', () => {
  test('are refused or bring a state that does not prove, whatever the order', async () => {
    const filler = (seed: number): Buffer => contentBytes({ kind: 'pattern', seed });
    const filled = (first: number): Memory => ({
      ram: Buffer.concat(Array.from({ length: RAM_PAGES }, (_, i) => filler(first + i))),
      disk: Buffer.concat(Array.from({ length: DISK_PAGES }, (_, i) => filler(first + 200 + i))),
    });
    const s = await scenario(filled(0), filled(9000));
    try {
      const { frames } = await encode(s);
      const numbers = frames.map((_, i) => i);
      await fc.assert(
        fc.asyncProperty(
          // Some frames are lost, some come twice, and all are shuffled.
          fc
            .tuple(fc.shuffledSubarray(numbers), fc.array(fc.constantFrom(...numbers)))
            .map(([some, again]) => [...some, ...again]),
          async (order) => {
            await copyFile(s.base.ram, s.output.ram);
            await rm(s.output.disk, { force: true });
            const sent = order.map((i) => frames[i]).filter((frame) => frame !== undefined);
            const outcome = await apply(s, sent, undefined).catch((error: unknown) => error);
            const isWhole =
              order.length === numbers.length && order.every((frame, i) => frame === i);
            if (outcome instanceof Error) {
              expect(outcome).toHaveProperty('code', expect.stringMatching(/^FRAME_/));
              expect(isWhole).toBe(false);
            } else {
              expect(isSame(outcome as Memory, s.expected)).toBe(isWhole);
            }
          },
        ),
        { numRuns: 60 },
      );
    } finally {
      await remove(s);
    }
  }, 200_000);
});

describe('the proof', () => {
  test.each([
    ['memory', RAM_PAGES * PAGE_SIZE],
    ['a disk that is no whole number of leaves', DISK_PAGES * PAGE_SIZE - 2048],
  ])(
    'finds every planted corruption of %s, wherever it is',
    async (_, sizeBytes) => {
      const pages = Math.ceil(sizeBytes / PAGE_SIZE);
      const contents = Array.from({ length: pages }, (_, i) =>
        contentBytes({ kind: 'pattern', seed: i }),
      );
      const target = Buffer.concat(contents).subarray(0, sizeBytes);
      const path = join(home, 'proved');
      const leaves = join(home, 'proved-leaves');
      await writeFile(path, target);
      const expectedRoot = await differ.hashLeaves(await fileImage(path), leaves);
      const all = BigUint64Array.of(0n, BigInt(pages));
      await fc.assert(
        fc.asyncProperty(
          fc.nat({ max: target.length - 1 }),
          fc.nat({ max: 255 }),
          async (at, mask) => {
            const damaged = Buffer.from(target);
            damaged.writeUInt8(damaged.readUInt8(at) ^ mask, at);
            await writeFile(path, damaged);
            const { proved } = await differ.proveResidue({
              ...{
                baseLeavesPath: leaves,
                image: await fileImage(path),
                changed: all,
                expectedRoot,
              },
              leavesPath: `${leaves}-new`,
            });
            expect(proved).toBe(mask === 0);
          },
        ),
        { numRuns: 60 },
      );
    },
    200_000,
  );
});

describe('a hostile peer', () => {
  test('gets a coded error or a state that does not prove, never a write outside', async () => {
    const base = perform(
      { ram: Buffer.alloc(RAM_PAGES * PAGE_SIZE), disk: Buffer.alloc(DISK_PAGES * PAGE_SIZE) },
      [
        {
          space: 'ram',
          at: 0,
          movedFrom: undefined,
          pages: Array.from({ length: 40 }, (_, i) => ({ kind: 'pattern' as const, seed: i })),
        },
      ],
    );
    const target = perform(base, [
      {
        space: 'ram',
        at: 50,
        movedFrom: 3,
        pages: Array.from({ length: 12 }, () => ({ kind: 'zero' as const })),
      },
      {
        space: 'ram',
        at: 5,
        movedFrom: undefined,
        pages: Array.from({ length: 30 }, (_, i) => ({ kind: 'pattern' as const, seed: 500 + i })),
      },
      {
        space: 'disk',
        at: 5,
        movedFrom: undefined,
        pages: Array.from({ length: 9 }, (_, i) => ({ kind: 'pattern' as const, seed: 600 + i })),
      },
    ]);
    const s = await scenario(base, target);
    try {
      const streams = [await encode(s, { level: 3 }), await encode(s, { level: 19 })];
      const frames = streams.flatMap((stream) => stream.frames);
      await fc.assert(
        fc.asyncProperty(
          fc.array(
            fc.record({
              frame: fc.nat({ max: frames.length - 1 }),
              cut: fc.option(fc.nat({ max: 4000 }), { nil: undefined }),
              flips: fc.array(fc.tuple(fc.nat(), fc.integer({ min: 1, max: 255 })), {
                maxLength: 3,
              }),
            }),
            { maxLength: 6 },
          ),
          async (messages) => {
            await copyFile(s.base.ram, s.output.ram);
            await rm(s.output.disk, { force: true });
            const tampered = messages.map(({ frame, cut, flips }) => {
              const bytes = Buffer.from(frames[frame]?.bytes ?? []).subarray(0, cut);
              for (const [at, mask] of flips) {
                if (bytes.length === 0) continue;
                const i = at % bytes.length;
                bytes.writeUInt8(bytes.readUInt8(i) ^ mask, i);
              }
              return { bytes };
            });
            const outcome = await apply(s, tampered, undefined).catch((error: unknown) => error);
            if (outcome instanceof Error) {
              expect(outcome).toHaveProperty('code', expect.stringMatching(/^FRAME_/));
            }
            const ram = await open(s.output.ram);
            expect((await ram.stat()).size).toBe(RAM_PAGES * PAGE_SIZE);
            await ram.close();
          },
        ),
        { numRuns: 80 },
      );
    } finally {
      await remove(s);
    }
  }, 400_000);

  test('may not answer another number of questions than were asked', async () => {
    const s = await scenario(
      perform({ ram: Buffer.alloc(RAM_PAGES * PAGE_SIZE), disk: Buffer.alloc(PAGE_SIZE) }, []),
      perform({ ram: Buffer.alloc(RAM_PAGES * PAGE_SIZE, 1), disk: Buffer.alloc(PAGE_SIZE) }, []),
    );
    try {
      await expect(encode(s, { known: Uint8Array.of(2, 99, 0) })).rejects.toMatchObject({
        code: 'ANSWERS_MISMATCH',
      });
      await expect(encode(s, { known: new Uint8Array(0) })).rejects.toMatchObject({
        code: 'ANSWERS_CORRUPT',
      });
    } finally {
      await remove(s);
    }
  });
});
