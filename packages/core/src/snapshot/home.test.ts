import { describe, expect, test } from '@jest/globals';

import { resolveHome } from './home.js';

describe('the home of the store', () => {
  test.each([
    [{ REPRISE_HOME: '/r', XDG_DATA_HOME: '/x', HOME: '/h' }, '/r'],
    [{ XDG_DATA_HOME: '/x', HOME: '/h' }, '/x/reprise'],
    [{ XDG_DATA_HOME: 'relative', HOME: '/h' }, '/h/.local/share/reprise'],
    [{ REPRISE_HOME: '', HOME: '/h' }, '/h/.local/share/reprise'],
  ])('with %j is %s', (env, home) => {
    expect(resolveHome(env)).toBe(home);
  });
});
