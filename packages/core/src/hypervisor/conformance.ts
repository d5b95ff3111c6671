import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

import { parseMachine } from '../machine/index.js';
import { OwnedProcess } from '../process/index.js';

import type { Hypervisor, HypervisorVm, StartOptions } from './port.js';

/**
 * What every hypervisor adapter owes the rest of reprise, checked on a guest of a few instructions
 * that never stops changing its memory.
 */
export function hypervisorConformance(name: string, hypervisor: Hypervisor): void {
  describe(`${name} as a hypervisor`, () => {
    let home: string;
    let disk: OwnedProcess;
    const diskSocket = () => join(home, 'nbd');
    const started: HypervisorVm[] = [];

    beforeAll(async () => {
      home = await mkdtemp(join(tmpdir(), 'reprise-conformance-'));
      const image = join(home, 'disk.raw');
      await writeFile(image, countingBootSector());
      disk = await OwnedProcess.start('qemu-nbd', [
        ...['--persistent', '--shared=8', '--format=raw'],
        ...['--export-name=disk', `--socket=${diskSocket()}`, image],
      ]);
      await sleep(300);
    });

    afterAll(async () => {
      for (const vm of started) await vm.quit();
      await disk.stop();
      await rm(home, { recursive: true, force: true });
    });

    const start = async (run: string, change: Partial<StartOptions> = {}) => {
      const runDirectory = join(home, run);
      await mkdir(runDirectory, { recursive: true });
      const vm = await hypervisor.start({
        machine,
        boot: undefined,
        ramFile: join(runDirectory, 'ram'),
        diskSocket: diskSocket(),
        diskExport: 'disk',
        runDirectory,
        gate: 'closed',
        ...change,
      });
      started.push(vm);
      return vm;
    };

    test('a started guest waits until it is resumed, then consumes CPU time', async () => {
      const vm = await start('first');
      const before = await vm.progress();
      await vm.resume();
      await sleep(1000);
      expect((await vm.progress()).cpuMs).toBeGreaterThan(before.cpuMs);
      await vm.quit();
    });

    test('squeezing a guest that does not know its balloon leaves it as it is, and says so', async () => {
      const vm = await start('squeezed');
      if (vm.squeeze === undefined) return;
      await vm.resume();
      const report = await vm.squeeze();
      expect(report.freedBytes).toBe(0);
      expect(report.because).toBeDefined();
      const before = await vm.progress();
      await sleep(1000);
      expect((await vm.progress()).cpuMs).toBeGreaterThan(before.cpuMs);
      await vm.quit();
    });

    test('a guest goes on in another process from its RAM file and device state', async () => {
      const first = await start('second');
      await first.resume();
      await sleep(1500);
      await first.pause();
      const state = join(home, 'state');
      await first.saveDeviceState(state);
      await first.screenshot(join(home, 'before.png'));
      await first.quit();
      const suspended = await digest(join(home, 'second', 'ram'));

      await mkdir(join(home, 'third'));
      await copyFile(join(home, 'second', 'ram'), join(home, 'third', 'ram'));
      const second = await start('third', { deviceState: state });
      await second.screenshot(join(home, 'after.png'));
      expect(await digest(join(home, 'after.png'))).toBe(await digest(join(home, 'before.png')));
      expect(await digest(join(home, 'third', 'ram'))).toBe(suspended);

      await second.resume();
      await sleep(500);
      await second.quit();
      expect(await digest(join(home, 'third', 'ram'))).not.toBe(suspended);
    });

    test('a broken device state is refused with the next step, and the process is gone', async () => {
      const state = join(home, 'broken');
      await writeFile(state, 'not a device state at all');
      await expect(start('fourth', { deviceState: state })).rejects.toMatchObject({
        code: expect.stringMatching(/RESUME_FAILED|HYPERVISOR_GONE/),
      });
    });

    test('a hypervisor that is killed says so to the next call', async () => {
      const vm = await start('fifth');
      process.kill(vm.processId, 'SIGKILL');
      await vm.exited;
      await expect(vm.resume()).rejects.toMatchObject({ code: 'HYPERVISOR_GONE' });
    });
  });
}

const machine = parseMachine({
  version: 1,
  hypervisor: 'qemu',
  accelerator: 'tcg',
  memoryMiB: 16,
  diskBytes: 4096,
  boot: { kind: 'firmware' },
  clockBase: '2026-01-01T00:00:00',
  seed: 1,
});

/** 16-bit code: a loop that increments the word at 0x8000, for ever. */
function countingBootSector(): Buffer {
  const sector = Buffer.alloc(4096);
  Buffer.from([0xff, 0x06, 0x00, 0x80, 0xeb, 0xfa]).copy(sector);
  sector.writeUInt16LE(0xaa55, 510);
  return sector;
}

async function digest(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}
