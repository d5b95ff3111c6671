import { randomBytes } from 'node:crypto';

import { describe, expect, test } from '@jest/globals';

import { kindOf, ownerOf } from './page-kinds.js';

const PAGE = 4096;

describe('what became of a page', () => {
  const before = randomBytes(PAGE);
  const changed = (change: (page: Buffer) => void): Buffer => {
    const page = Buffer.from(before);
    change(page);
    return page;
  };

  test('a few words are counters, some hundred are edits, all of it is new content', () => {
    expect(
      kindOf(
        before,
        changed((page) => page.writeUInt32LE(7, 96)),
        false,
      ),
    ).toBe('counters');
    expect(
      kindOf(
        before,
        changed((page) => page.fill(0x5a, 0, 1024)),
        false,
      ),
    ).toBe('edited');
    expect(kindOf(before, randomBytes(PAGE), false)).toBe('rewritten');
    expect(kindOf(before, randomBytes(PAGE), true)).toBe('alike');
    expect(kindOf(Buffer.alloc(PAGE), randomBytes(PAGE), false)).toBe('fresh');
  });

  test('times that moved on are told from counters', () => {
    const [was, is] = [Buffer.alloc(PAGE, 1), Buffer.alloc(PAGE, 1)];
    for (const at of [400, 1200]) {
      was.writeUInt32LE(1_767_225_600, at);
      is.writeUInt32LE(1_767_225_690, at);
      is.writeUInt32LE(731_000_000, at + 4);
    }
    expect(kindOf(was, is, false)).toBe('times');
    is.writeUInt32LE(2, 3000);
    expect(kindOf(was, is, false)).toBe('counters');
  });

  test('a clock that went back is no time of a session', () => {
    const [was, is] = [Buffer.alloc(PAGE, 1), Buffer.alloc(PAGE, 1)];
    was.writeUInt32LE(1_767_225_690, 400);
    is.writeUInt32LE(1_767_225_600, 400);
    expect(kindOf(was, is, false)).toBe('counters');
  });
});

describe('whose a page of memory is', () => {
  const pageOf = (word: bigint, count: number): Buffer => {
    const page = Buffer.alloc(PAGE);
    for (let i = 0; i < count; i++) page.writeBigUInt64LE(word + BigInt(i * 64), i * 64);
    return page;
  };

  test('addresses of the kernel make it the kernel’s', () => {
    expect(ownerOf(pageOf(0xffff_8880_0123_4000n, 12))).toBe('kernel');
    expect(ownerOf(pageOf(0xffff_ffff_8100_0000n, 12))).toBe('kernel');
  });

  test('addresses of a process, a few of the kernel, and -1 do not', () => {
    expect(ownerOf(pageOf(0x0000_7f12_3456_7000n, 60))).toBe('other');
    expect(ownerOf(pageOf(0xffff_8880_0123_4000n, 3))).toBe('other');
    expect(ownerOf(Buffer.alloc(PAGE, 0xff))).toBe('other');
  });
});
