import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';

const PROGRAM = fileURLToPath(new URL('../bin/reprise.js', import.meta.url));

interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

describe('reprise on the command line', () => {
  let directory: string;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'reprise-cli-'));
  });
  afterEach(() => rm(directory, { recursive: true, force: true }));

  const reprise = (...args: string[]): Promise<Outcome> =>
    new Promise((resolve) => {
      const env = { ...process.env, REPRISE_HOME: join(directory, 'home') };
      execFile(process.execPath, [PROGRAM, ...args], { env }, (error, out, err) => {
        resolve({ code: typeof error?.code === 'number' ? error.code : 0, out, err });
      });
    });

  const importDisk = async (name = 'desk') => {
    const disk = join(directory, 'disk.raw');
    await writeFile(disk, Buffer.alloc(10_000, 7));
    return await reprise('vm', 'import', name, '--disk', disk, '--accel', 'tcg', '--memory', '64');
  };

  test('names the commands for one who knows none', async () => {
    const { code, out } = await reprise('--help');
    expect(code).toBe(0);
    for (const command of ['vm', 'start', 'console', 'suspend', 'seed', 'migrate', 'doctor']) {
      expect(out).toContain(command);
    }
  });

  test('lists no VMs with the next step', async () => {
    expect(await reprise('vm', 'ls')).toMatchObject({
      code: 0,
      out: expect.stringContaining('reprise vm import'),
    });
  });

  test('imports, lists, shows and removes a VM', async () => {
    expect(await importDisk()).toMatchObject({ code: 0, out: expect.stringContaining('imported') });
    const list = JSON.parse((await reprise('vm', 'ls', '--json')).out) as { vms: unknown[] };
    expect(list.vms).toMatchObject([{ name: 'desk', state: 'suspended', head: null }]);
    const shown = JSON.parse((await reprise('vm', 'show', 'desk', '--json')).out) as unknown;
    // A disk is a whole number of blocks.
    expect(shown).toMatchObject({ machine: { diskBytes: 12_288, memoryMiB: 64 } });
    expect(await reprise('vm', 'rm', 'desk')).toMatchObject({ code: 2 });
    expect(await reprise('vm', 'rm', 'desk', '--yes')).toMatchObject({ code: 0 });
    expect(await reprise('vm', 'show', 'desk')).toMatchObject({ code: 4 });
  });

  test.each([
    ['an unknown command', ['frobnicate'], 2, /unknown command/],
    ['an unknown VM', ['start', 'nobody'], 4, /nobody/],
    ['a name that is none', ['vm', 'show', '../etc'], 2, /not a name/],
    [
      'a disk that is not there',
      ['vm', 'import', 'x', '--disk', '/nonexistent'],
      2,
      /no disk image/,
    ],
    [
      'a destination that is an option',
      ['migrate', 'x', '--', '-oProxyCommand=x'],
      2,
      /no destination/,
    ],
    ['a rate that is none', ['seed', 'x', 'unix:/nonexistent', '--limit', 'fast'], 2, /no rate/],
    ['a strategy that is none', ['migrate', 'x', 'host', '--strategy', 'magic'], 2, /no strategy/],
    ['a receiver on a terminal-less TCP address', ['receive', '--listen', 'host:22'], 2, /unix:/],
  ])('meets %s with a sentence and an exit code', async (_what, args, code, message) => {
    const outcome = await reprise(...args);
    expect(outcome.err).toMatch(message);
    expect(outcome.err).not.toMatch(/\n\s+at /);
    expect(outcome.code).toBe(code);
  });

  test('says for programs what went wrong, as JSON', async () => {
    const { code, err } = await reprise('start', 'nobody', '--json');
    expect(code).toBe(4);
    expect(JSON.parse(err)).toMatchObject({ error: { code: 'VM_UNKNOWN' } });
  });

  test('refuses to migrate what was never suspended, and to verify what has no snapshot', async () => {
    await importDisk();
    expect(await reprise('verify', 'desk')).toMatchObject({ code: 6 });
    expect(await reprise('seed', 'desk', 'unix:/nonexistent')).toMatchObject({ code: 6 });
    expect(await reprise('suspend', 'desk')).toMatchObject({ code: 4 });
  });

  test('finds this host able to run machines', async () => {
    const { code, out } = await reprise('doctor', '--json');
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ ok: true });
  });
});
