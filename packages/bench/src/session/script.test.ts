import { describe, expect, test } from '@jest/globals';
import { keystroke } from '@reprise/core';

import { sessionNamed, sessionNames } from './catalogue.js';

const sessions = sessionNames.map(sessionNamed);

describe('the scripted sessions', () => {
  test('have names and seeds of their own', () => {
    expect(new Set(sessionNames).size).toBe(sessions.length);
    expect(new Set(sessions.map(({ seed }) => seed)).size).toBe(sessions.length);
  });

  test('are known by name only', () => {
    expect(() => sessionNamed('nap')).toThrow(/tiny-shell/);
  });

  test.each(sessions)('$name types only what a US keyboard has', ({ steps }) => {
    const text = steps.map((step) => (step.kind === 'type' ? step.text : '')).join('');
    for (const character of text) {
      expect(character).toMatch(/[\x20-\x7e]/);
      expect(keystroke(character).keysym).toBe(character.codePointAt(0));
    }
  });

  test.each(sessions)('$name clicks inside of the screen', ({ steps }) => {
    for (const step of steps) {
      if (step.kind !== 'click') continue;
      expect(step.x).toBeLessThan(800);
      expect(step.y).toBeLessThan(600);
    }
  });

  test.each(sessions)('$name ends when the guest has done what it was told', ({ steps }) => {
    expect(steps.at(-1)?.kind).toBe('settle');
  });
});
