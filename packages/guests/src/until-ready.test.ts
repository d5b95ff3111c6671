import { appendFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { READY_MARKER, untilReady } from './index.js';

let directory: string;
let serialLog: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'reprise-ready-'));
  serialLog = join(directory, 'serial.log');
});
afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

test('a guest is ready once its serial port says so, whenever the file comes', async () => {
  let ready = false;
  const waiting = untilReady(serialLog, { timeoutMs: 60_000 }).then(() => (ready = true));
  await writeFile(serialLog, 'booting\n');
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(ready).toBe(false);
  await appendFile(serialLog, `${READY_MARKER}\n`);
  await waiting;
});

test('a guest that never is, is an error with what it printed last', async () => {
  await writeFile(serialLog, 'one\r\nKernel panic - not syncing\r\n');
  await expect(untilReady(serialLog, { timeoutMs: 50 })).rejects.toMatchObject({
    code: 'GUEST_NOT_READY',
    message: expect.stringContaining('Kernel panic - not syncing'),
    context: { lines: ['one', 'Kernel panic - not syncing'] },
  });
});

test('the wait can be cancelled', async () => {
  const waiting = untilReady(serialLog, { timeoutMs: 60_000, signal: AbortSignal.timeout(50) });
  await expect(waiting).rejects.toMatchObject({ name: 'AbortError' });
});
