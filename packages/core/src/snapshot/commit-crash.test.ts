import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

import { openStore } from './open-store.js';
import { StoreFixture } from './testing/store-fixture.js';

/** Runs outside jest, so it needs what `pnpm run build` makes. */
const VICTIM = fileURLToPath(
  new URL('../../dist/snapshot/testing/commit-victim.js', import.meta.url),
);
/** A third of the calls, another third each day, is enough for every day. */
const STRIDE = process.env['REPRISE_LONG_TESTS'] === '1' ? 1 : 3;
const FIRST = 1 + (Math.floor(Date.now() / 86_400_000) % STRIDE);

describe('a commit that is killed', () => {
  let fixture: StoreFixture;
  let before: string;
  beforeAll(async () => {
    await access(VICTIM);
    fixture = await StoreFixture.create();
    await fixture.importVm();
    before = await fixture.session({ tag: 'one', ram: [1], disk: [2] });
    await fixture.suspended({ tag: 'two', ram: [1, 9], disk: [2, 100] });
  });
  afterAll(() => fixture[Symbol.asyncDispose]());

  /** Kills a commit in a copy of the store; resolves to its output, empty if it was killed. */
  async function victim(home: string, fatal: number): Promise<string> {
    await promisify(execFile)('cp', ['-a', '--sparse=always', fixture.home, home]);
    const child = spawn(process.execPath, [VICTIM, home, String(fatal)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
    const [status, signal] = (await once(child, 'close')) as [number | null, string | null];
    expect(status === 0 || signal === 'SIGKILL').toBe(true);
    return output;
  }

  test('anywhere, leaves the old head and the session, or the new head, and nothing else', async () => {
    const home = join(fixture.directory, 'victim');
    const after = await victim(home, 0);
    expect(after).toMatch(/^[0-9a-f]{64}$/);
    const heads: string[] = [];
    for (let fatal = FIRST, output = ''; output === ''; fatal += STRIDE) {
      await rm(home, { recursive: true, force: true });
      output = await victim(home, fatal);
      await using store = await openStore({ home });
      const head = await store.head('desk');
      if (head === undefined) throw new Error('no head');
      heads.push(head.root);
      expect({ fatal, ours: [before, after].includes(head.root) }).toEqual({ fatal, ours: true });
      const session = await store.workingCopy('desk');
      expect(session === undefined).toBe(head.root === after);
      if (session !== undefined) {
        expect((await store.commitWorkingCopy('desk')).root).toBe(after);
      }
      for (const root of [before, after]) {
        expect(await store.verifySnapshot('desk', root)).toMatchObject({ ok: true });
      }
      const vm = join(home, 'vms/desk');
      const left = (await readdir(vm, { recursive: true })).filter((name) =>
        /\.tmp-|commit\.json|working/.test(name),
      );
      expect({ fatal, left }).toEqual({ fatal, left: [] });
      expect(await store.collectGarbage('desk')).toMatchObject({ snapshots: [], layers: [] });
    }
    expect(new Set(heads)).toEqual(new Set([before, after])); // both sides of the point of no return were hit
  }, 300_000);
});
