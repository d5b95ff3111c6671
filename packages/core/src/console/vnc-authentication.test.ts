import { describe, expect, test } from '@jest/globals';

import {
  AuthenticationThrottle,
  isVncResponse,
  vncChallenge,
  vncResponse,
} from './vnc-authentication.js';

describe('VNC authentication', () => {
  test('is DES with every key byte reversed: a published DES vector comes out', () => {
    // Key 0123456789abcdef, "Now is t" -> 3fa40e8a984d4815.
    const password = Buffer.from([0x80, 0xc4, 0xa2, 0xe6, 0x91, 0xd5, 0xb3, 0xf7]).toString(
      'latin1',
    );
    const challenge = Buffer.from('Now is tNow is t', 'latin1');
    expect(vncResponse(password, challenge).toString('hex')).toBe(
      '3fa40e8a984d48153fa40e8a984d4815',
    );
  });

  test('takes the right password and no other', () => {
    const challenge = vncChallenge();
    expect(isVncResponse('secret', challenge, vncResponse('secret', challenge))).toBe(true);
    expect(isVncResponse('secret', challenge, vncResponse('Secret', challenge))).toBe(false);
    expect(isVncResponse('secret', challenge, Buffer.alloc(3))).toBe(false);
  });

  test('makes every attempt after a failure wait longer, up to a limit, and forgets after a success', async () => {
    const waits: number[] = [];
    const throttle = new AuthenticationThrottle((ms) => Promise.resolve(waits.push(ms)));
    const { signal } = new AbortController();
    const attempts = Array.from({ length: 8 }, () => throttle.judge(() => false, signal));
    expect(await Promise.all(attempts)).toEqual(Array(8).fill(false));
    expect(waits).toEqual([250, 500, 1000, 2000, 4000, 8000, 8000]);
    await throttle.judge(() => true, signal);
    waits.length = 0;
    await throttle.judge(() => true, signal);
    expect(waits).toEqual([]);
  });
});
