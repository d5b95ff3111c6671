import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';

import { RepriseError } from '../errors.js';

import { callControl, serveControl } from './control.js';

describe('the control socket of a supervisor', () => {
  let directory: string;
  let path: string;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'reprise-control-'));
    path = join(directory, 'control');
  });
  afterEach(() => rm(directory, { recursive: true, force: true }));

  test('answers a request', async () => {
    await using _server = await serveControl(path, (request) =>
      Promise.resolve({ root: request.method }),
    );
    expect(await callControl(path, { method: 'suspend' })).toEqual({ root: 'suspend' });
  });

  test('hands a coded error to the caller with its code', async () => {
    await using _server = await serveControl(path, () =>
      Promise.reject(new RepriseError('SUSPEND_FAILED', 'no room')),
    );
    await expect(callControl(path, { method: 'suspend' })).rejects.toMatchObject({
      code: 'SUSPEND_FAILED',
      message: 'no room',
    });
  });

  test('says that nobody is there when nobody is', async () => {
    await expect(callControl(path, { method: 'status' })).rejects.toMatchObject({
      code: 'SUPERVISOR_UNREACHABLE',
    });
  });

  test('gives up on a supervisor that does not answer', async () => {
    await using _server = await serveControl(path, () => new Promise(() => undefined));
    await expect(callControl(path, { method: 'status' }, { timeoutMs: 50 })).rejects.toMatchObject({
      code: 'TIMEOUT',
    });
  });

  test.each(['not json', '{"method":"format the disk"}', `"${'x'.repeat(100_000)}"`])(
    'outlives %.30j',
    async (line) => {
      await using _server = await serveControl(path, () => Promise.resolve({}));
      const socket = connect({ path });
      socket.on('error', () => undefined).resume();
      socket.write(`${line}\n`);
      await new Promise((resolve) => socket.once('close', resolve));
      expect(await callControl(path, { method: 'discard' })).toEqual({});
    },
  );
});
