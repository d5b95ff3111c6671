import { mkdir, mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { DiskView } from '@reprise/blkdriver-native';
import { ensureGuest, untilReady } from '@reprise/guests';

import { RfbClient } from '../console/index.js';
import { listenUnix } from '../link/index.js';
import { parseMachine, type MachineInput } from '../machine/index.js';
import { receive, seed } from '../migration/index.js';
import { openStore, type Snapshot } from '../snapshot/index.js';
import { runtimeDirectory, startVm, suspendVm, vmStatus } from '../supervisor/index.js';

/** Two hosts, each a store of its own, and a receiver at each that answers the other one. */
export interface Host {
  readonly home: string;
  /** Where the other host reaches this one. */
  readonly address: string;
  /** What its receiver said. */
  readonly events: string[];
}

export interface Pair extends AsyncDisposable {
  readonly directory: string;
  readonly here: Host;
  readonly there: Host;
}

export const VM = 'tiny';
const BOOT_TIMEOUT_MS = 120_000;
const REST_MS = 1_500;
const REST_TIMEOUT_MS = 30_000;

/** A fresh pair of empty hosts in a temporary directory, which goes with it. */
export async function emptyPair(): Promise<Pair> {
  const directory = await mkdtemp(join(tmpdir(), 'reprise-pair-'));
  const [here, there] = [await host(directory, 'here'), await host(directory, 'there')];
  return {
    directory,
    here: here.host,
    there: there.host,
    [Symbol.asyncDispose]: async () => {
      await here.server[Symbol.asyncDispose]();
      await there.server[Symbol.asyncDispose]();
      // A receiver's last work in the store may still end.
      await rm(directory, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

async function host(directory: string, name: string) {
  const home = join(directory, name);
  await mkdir(home);
  const events: string[] = [];
  const path = join(directory, `${name}.sock`);
  const server = await listenUnix(path, (link) => {
    receive({ home, link, onEvent: (text) => events.push(text) }).catch(() => undefined);
  });
  return { host: { home, address: `unix:${path}`, events }, server };
}

/** Imports the tiny guest, boots it to its prompt, and suspends it: the first snapshot. */
export async function bootTiny(home: string, change: Partial<MachineInput> = {}): Promise<void> {
  const guest = await ensureGuest('tiny');
  {
    await using store = await openStore({ home });
    const kernel = await store.putBootFile(guest.kernel);
    const initrd = await store.putBootFile(guest.initrd);
    const machine = parseMachine({
      version: 1,
      hypervisor: 'qemu',
      accelerator: 'tcg',
      memoryMiB: guest.memoryMiB,
      diskBytes: guest.diskBytes,
      boot: {
        kind: 'direct',
        kernel: kernel.sha256,
        initrd: initrd.sha256,
        append: guest.append,
      },
      clockBase: '2026-01-01T00:00:00',
      seed: 1,
      ...change,
    });
    await store.createVm({ name: VM, machine, disk: guest.disk });
  }
  const { console } = await startVm(home, VM);
  await untilPrompt(home, console);
  await suspendVm(home, VM);
}

/** The guest is at its prompt when its screen has come to rest after it said that it is ready, and answers. */
async function untilPrompt(home: string, console: string): Promise<void> {
  const serialLog = join(runtimeDirectory(home, VM), 'serial.log');
  await untilReady(serialLog, { timeoutMs: BOOT_TIMEOUT_MS });
  await using viewer = await RfbClient.connect(console);
  await viewer.refresh({ timeoutMs: REST_TIMEOUT_MS });
  await viewer.waitForQuiet({ quietMs: REST_MS, timeoutMs: REST_TIMEOUT_MS });
  const { changes } = viewer;
  viewer.press('Return');
  if (await viewer.waitForChange({ since: changes, timeoutMs: REST_TIMEOUT_MS })) return;
  const status = JSON.stringify(await vmStatus(home, VM));
  throw new Error(
    `the prompt does not answer; the screen changed ${String(changes)} times; ${status}`,
  );
}

/** Types lines at the guest's prompt, each when the screen has come to rest. */
export async function typeLines(console: string, lines: readonly string[]): Promise<void> {
  await using viewer = await RfbClient.connect(console);
  for (const line of lines) {
    await viewer.type(`${line}\n`, { gapMs: 60 });
    await viewer.waitForQuiet({ quietMs: 1_500, timeoutMs: 60_000 });
  }
  await viewer.drained();
}

/** Starts the VM, types, suspends: a session. */
export async function session(home: string, lines: readonly string[]): Promise<void> {
  const { console } = await startVm(home, VM);
  await typeLines(console, lines);
  await suspendVm(home, VM);
}

/** Gives the other host the base. */
export async function seedTo(from: Host, to: Host): Promise<void> {
  await seed({ home: from.home, name: VM, destination: to.address });
}

/** RAM, the whole disk and the device state of a host's head as plain files, for an independent comparison. */
export async function plainFiles(
  home: string,
  directory: string,
): Promise<{ ram: string; disk: string; device: string; head: Snapshot }> {
  await using store = await openStore({ home });
  const head = await store.head(VM);
  if (head === undefined) throw new Error('the VM has no snapshot');
  const disk = join(directory, 'disk.raw');
  await flatten(head, disk);
  return { ram: head.paths.ram, disk, device: head.paths.device, head };
}

async function flatten(head: Snapshot, path: string): Promise<void> {
  await using view = await DiskView.open(head.chain);
  const file = await open(path, 'w');
  try {
    await file.truncate(Number(view.sizeBytes));
    const step = 1 << 20;
    for (let at = 0; at < Number(view.sizeBytes); at += step) {
      const length = Math.min(step, Number(view.sizeBytes) - at);
      const bytes = await view.read(BigInt(at), length);
      if (bytes.some((byte) => byte !== 0)) await file.write(bytes, 0, length, at);
    }
  } finally {
    await file.close();
  }
}
