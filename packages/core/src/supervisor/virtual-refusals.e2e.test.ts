import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

import { createOverlay } from '@reprise/blkdriver-native';
import { expect, test } from '@jest/globals';

import { RfbClient } from '../console/index.js';
import { readInputLog } from '../input/index.js';
import { parseMachine } from '../machine/index.js';
import { openStore } from '../snapshot/index.js';
import { bootTiny, emptyPair, VM } from '../testing/tiny-pair.js';
import {
  SELF_TEST_DISK_BYTES,
  SELF_TEST_MEMORY_MIB,
  selfTestDisk,
} from '../virtual-time/self-test-guest.js';

import { discardSession, startVm, suspendVm, vmStatus } from './index.js';
import { PoweredVm } from './powered-vm.js';

const run = promisify(execFile);
const WARNING_TIMEOUT_MS = 30_000;
const START_TIMEOUT_MS = 120_000;

/** Starts the VM as on a host that has no plugin for virtual time; the code of the error. */
async function startWithoutPlugin(home: string): Promise<string> {
  const script = `
    import { startVm } from ${JSON.stringify(new URL('../../dist/index.js', import.meta.url).href)};
    const end = (word) => process.stdout.write(word, () => process.exit());
    startVm(${JSON.stringify(home)}, ${JSON.stringify(VM)}).then(() => end('started'), (error) => end(error.code));
  `;
  const env = { ...process.env, REPRISE_VCLOCK_PLUGIN: '/nonexistent/vclock.so' };
  const args = ['--input-type=module', '--eval', script];
  return (await run(process.execPath, args, { env, timeout: START_TIMEOUT_MS })).stdout;
}

test("a viewer's clipboard and resize do not reach a guest in virtual time, and the user is told; a host without the means does not start it", async () => {
  await using pair = await emptyPair();
  const { home } = pair.here;
  await bootTiny(home, { clock: 'virtual' });
  expect(await startWithoutPlugin(home)).toBe('VIRTUAL_TIME_UNAVAILABLE');
  expect(await vmStatus(home, VM)).toBeUndefined();
  try {
    const { console } = await startVm(home, VM);
    {
      await using viewer = await RfbClient.connect(console);
      viewer.send({ kind: 'clipboard', extended: false, data: Buffer.from('hello') });
      viewer.send({ kind: 'resize', width: 640, height: 480, screens: [] });
      await viewer.type('echo\n', { gapMs: 30 });
      const deadline = Date.now() + WARNING_TIMEOUT_MS;
      const told = async () => (await vmStatus(home, VM))?.warnings.join('\n') ?? '';
      while (!/clipboard[^]*resize/.test(await told())) {
        if (Date.now() > deadline) throw new Error(`the user was told only: ${await told()}`);
        await sleep(100);
      }
    }
    await suspendVm(home, VM);
    await using store = await openStore({ home });
    const path = (await store.head(VM))?.paths.inputLog ?? '';
    const log = await readInputLog(path, await store.deriveKey(VM, 'input-log'));
    expect(log.complete).toBe(true);
    expect(new Set(log.events.map(({ event }) => event.kind))).toEqual(new Set(['extended-key']));
  } finally {
    if ((await vmStatus(home, VM)) !== undefined) await discardSession(home, VM);
  }
});

test('the balloon of a guest in virtual time is left alone', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'reprise-refusals-'));
  const at = (name: string) => join(directory, name);
  try {
    await writeFile(at('disk'), selfTestDisk());
    await createOverlay(at('overlay'), { sizeBytes: BigInt(SELF_TEST_DISK_BYTES) });
    await using powered = await PoweredVm.start({
      machine: parseMachine({
        ...{ version: 1, hypervisor: 'qemu', accelerator: 'tcg', clock: 'virtual' },
        ...{ memoryMiB: SELF_TEST_MEMORY_MIB, diskBytes: SELF_TEST_DISK_BYTES },
        ...{ boot: { kind: 'firmware' }, clockBase: '2026-01-01T00:00:00', seed: 1 },
      }),
      ...{ boot: undefined, gate: 'closed', ramFile: at('ram'), runDirectory: at('run') },
      chain: { base: at('disk'), layers: [], overlay: at('overlay') },
    });
    await expect(powered.vm.squeeze?.()).rejects.toMatchObject({ code: 'VIRTUAL_TIME_REFUSED' });
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
});
