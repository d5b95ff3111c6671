import { describe, expect, test } from '@jest/globals';

import { xenDiskFile } from './index.js';

const chain = { base: '/vm/base.img', layers: ['/vm/monday'], overlay: '/vm/today' };

describe('a disk file', () => {
  test('says what the disk is made of and what the guest is offered', () => {
    const lines = xenDiskFile(chain, { readOnly: true, persistentGrants: false }).split('\n');
    expect(lines.slice(0, 4)).toEqual([
      ...['base /vm/base.img', 'layer /vm/monday', 'overlay /vm/today', 'read-only yes'],
    ]);
    expect(lines).toContain('persistent-grants no');
    expect(lines).toContain('indirect-segments 256');
    expect(lines.at(-1)).toBe('');
  });

  test('takes absolute paths on one line, and numbers that a ring can have', () => {
    for (const base of ['base.img', '/vm/a\noverlay /etc']) {
      expect(() => xenDiskFile({ ...chain, base })).toThrow('absolute');
    }
    expect(() => xenDiskFile(chain, { ringPageOrder: 5 })).toThrow('0 to 4');
    expect(() => xenDiskFile(chain, { indirectSegments: 257 })).toThrow('0 to 256');
  });
});
