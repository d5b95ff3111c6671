import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { expect, test } from '@jest/globals';

import { selfTestDisk } from './self-test-guest.js';

const SOURCE = fileURLToPath(new URL('self-test-guest.S', import.meta.url));

function hasAssembler(): boolean {
  try {
    execFileSync('as', ['--32', '--version'], { stdio: 'ignore' });
    return process.arch === 'x64';
  } catch {
    return false;
  }
}

(hasAssembler() ? test : test.skip)('the boot sector is what its source assembles to', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'reprise-boot-sector-'));
  try {
    const [object, binary] = [join(directory, 'o'), join(directory, 'bin')];
    execFileSync('as', ['--32', '-o', object, SOURCE]);
    const flat = ['-m', 'elf_i386', '-Ttext=0x7c00', '--oformat', 'binary'];
    execFileSync('ld', [...flat, '-o', binary, object]);
    const assembled = await readFile(binary);
    expect(selfTestDisk().subarray(0, assembled.length)).toEqual(assembled);
    // Nothing but zeros between the program and the mark of a boot sector.
    expect(
      selfTestDisk()
        .subarray(assembled.length, 510)
        .some((byte) => byte !== 0),
    ).toBe(false);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
});
