import { readFile } from 'node:fs/promises';
import { expect, test } from '@jest/globals';
import { runCommand } from './command.js';

const timeoutMs = 60_000;

test('gives each line of both streams', async () => {
  const lines: string[] = [];
  await runCommand('sh', ['-c', 'echo one; echo two >&2; printf three'], {
    timeoutMs,
    onLine: (line) => lines.push(line),
  });
  expect(lines.sort()).toEqual(['one', 'three', 'two']);
});

test('a failing command is an error that carries its last output', async () => {
  await expect(
    runCommand('sh', ['-c', 'echo no space left >&2; exit 7'], { timeoutMs }),
  ).rejects.toMatchObject({
    code: 'GUEST_COMMAND_FAILED',
    message: expect.stringContaining('no space left'),
    context: { status: 7 },
  });
});

test('a missing program is named, with the way to get it', async () => {
  await expect(runCommand('reprise-no-such-program', [], { timeoutMs })).rejects.toMatchObject({
    code: 'GUEST_PROGRAM_MISSING',
    message: expect.stringContaining('npm run setup'),
  });
});

test('cancelling ends a command and what it started', async () => {
  const cancel = new AbortController();
  let grandchild = 0;
  const running = runCommand('sh', ['-c', 'sleep 600 & echo $!; wait'], {
    timeoutMs,
    signal: cancel.signal,
    onLine: (line) => {
      grandchild = Number(line);
      cancel.abort();
    },
  });
  await expect(running).rejects.toMatchObject({ code: 'GUEST_BUILD_CANCELLED' });
  expect(grandchild).toBeGreaterThan(1);
  // Gone, or dead and not yet reaped by init.
  const commandLine = await readFile(`/proc/${grandchild}/cmdline`, 'utf8').catch(() => '');
  expect(commandLine).toBe('');
});

test('a command that takes too long is ended', async () => {
  await expect(runCommand('sleep', ['600'], { timeoutMs: 100 })).rejects.toMatchObject({
    code: 'GUEST_COMMAND_TIMEOUT',
  });
});
