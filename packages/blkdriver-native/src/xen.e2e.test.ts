import { readFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createHash } from 'node:crypto';

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { ensureGuest } from '@reprise/guests';

import { VirtualDisk, readDirtyLog } from './index.js';
import type { XenStatistics } from './index.js';
import { Scratch } from './testing/scratch.js';
import { parseTrace } from './testing/block-trace.js';
import type { TracedPhase } from './testing/block-trace.js';
import { logChanges } from './testing/change.js';
import type { Change } from './testing/change.js';
import { matchPhase } from './testing/write-order.js';
import type { Tolerance } from './testing/write-order.js';
import { isInstalled, makePayload, runXenHost } from './testing/xen-machine.js';
import type { XenRun } from './testing/xen-machine.js';

// Xen, dom0 and two guests, in one boot under emulation: see testing/xen-dom0.ts for what they do.
const onXen = isInstalled('qemu-system-x86_64') ? describe : describe.skip;
const diskBytes = 24 << 20;
const bootLimitMs = 15 * 60_000;

interface Dom0Report {
  readonly failures: readonly string[];
  readonly readBackAfterRestore?: boolean;
  readonly guestWaitsWithoutBackend?: boolean;
  readonly detachedDiskHolds?: boolean;
  readonly wrongDisk?: string;
  readonly ownKindWaits?: boolean;
  readonly g1Digest?: string;
  readonly readOnlyRefusesWrites?: boolean;
  readonly readOnlyReads?: boolean;
  readonly closedBy?: string;
  readonly deviceGone?: boolean;
  readonly savedEnds?: string;
  readonly destroyedEnds?: string;
  readonly g2Digest?: string;
  readonly g2DigestRestored?: string;
  readonly g2?: Readonly<Record<string, XenStatistics>>;
  readonly noSuchDomain?: string;
  readonly seconds?: number;
}

/** A line of JSON of the device model's. */
type DeviceModelReport = Omit<XenStatistics, 'state' | 'error' | 'persistentFrames'> & {
  device: string;
  end: string;
};

onXen('a disk served to Xen guests', () => {
  let scratch: Scratch;
  let base: string;
  let xen: XenRun;
  let report: Dom0Report;

  beforeAll(async () => {
    const host = await ensureGuest('xen-host', {
      onProgress: (line) => process.stderr.write(`xen-host: ${line}\n`),
    });
    scratch = await Scratch.create();
    base = await scratch.base(diskBytes, 1 << 20);
    const payload = await makePayload(scratch.dir, base);
    xen = await runXenHost(host, payload, scratch.dir, {
      timeoutMs: bootLimitMs,
      onLine: (line) => {
        if (line.startsWith('xen: ')) process.stderr.write(`${line}\n`);
      },
    });
    const text = await readFile(join(xen.results, 'report.json'), 'utf8').catch(() => '');
    if (text === '') throw new Error(`dom0 left no report; its console ends:\n${xen.console}`);
    report = JSON.parse(text) as Dom0Report;
  }, 2 * bootLimitMs);

  afterAll(async () => {
    if (process.env['REPRISE_KEEP'] === '1') process.stderr.write(`kept: ${scratch.dir}\n`);
    else await scratch[Symbol.asyncDispose]();
  });

  const result = (name: string): string => join(xen.results, name);

  async function deviceModelReport(name: string): Promise<DeviceModelReport> {
    const lines = (await readFile(result(name), 'utf8')).split('\n');
    return JSON.parse(lines.findLast((line) => line.startsWith('{')) ?? '{}') as DeviceModelReport;
  }

  async function digestOf(overlay: string): Promise<string> {
    await using disk = await VirtualDisk.open({ base, layers: [], overlay: result(overlay) });
    const hash = createHash('md5');
    for (let at = 0; at < diskBytes; at += 1 << 20) {
      hash.update(await disk.read(BigInt(at), 1 << 20));
    }
    return hash.digest('hex');
  }

  async function traceOf(guest: string): Promise<TracedPhase[]> {
    const phases = parseTrace(await readFile(result(`${guest}.trace`), 'utf8'), '202,0');
    for (const phase of phases) expect(phase).toMatchObject({ lost: 0 });
    return phases;
  }

  /** Follows all phases through a log; gives what was matched, and what the log has behind them. */
  function followPhases(
    log: readonly Change[],
    phases: readonly TracedPhase[],
    tolerances: Readonly<Record<string, Tolerance>>,
  ) {
    let end = 0;
    const counts = { matched: 0, skipped: 0, repeated: 0 };
    for (const { name, changes } of phases) {
      const found = matchPhase(log, end, changes, tolerances[name] ?? 'exact');
      end = found.end;
      counts.matched += found.matched;
      counts.skipped += found.skipped;
      counts.repeated += found.repeated;
    }
    return { ...counts, behind: log.length - end };
  }

  test('everything was gone through in dom0', () => {
    expect(report.failures).toEqual([]);
    expect(xen.status).toBe(0);
    process.stderr.write(
      `xen: ${xen.seconds.toFixed(0)} s with boot, ${(report.seconds ?? 0).toFixed(0)} s of it in dom0's job, ${xen.peakMemoryMiB} MiB at most\n`,
    );
  });

  test('a guest of plain xl create is saved, restored, and reads back what it wrote', () => {
    expect(report.readBackAfterRestore).toBe(true);
  });

  test('a guest whose device model is killed waits, and goes on with the next one', async () => {
    expect(report.guestWaitsWithoutBackend).toBe(true);
    expect(await deviceModelReport('device-model-2.log')).toMatchObject({
      connections: 1,
      takenOver: 1,
      refused: 0,
      failed: 0,
      brokenRings: 0,
    });
  });

  test('xenstore is asked when something has changed there, not for every request', async () => {
    const { looks, requests } = await deviceModelReport('device-model-2.log');
    expect(requests).toBeGreaterThan(100);
    expect(looks).toBeLessThan(20);
    const quiet = report.g2?.['quiet'];
    expect(quiet?.requests).toBeGreaterThan(100);
    expect(quiet?.looks).toBeLessThan(20);
  });

  test('a disk that is attached to a running guest can be detached again', () => {
    expect(report.detachedDiskHolds).toBe(true);
  });

  test('after all that the disk is byte by byte what the guest saw last', async () => {
    expect(await digestOf('g1-overlay')).toBe(report.g1Digest);
  });

  test('the dirty log has every write and discard in the order of the guest’s own block trace', async () => {
    const log = await logChanges(readDirtyLog(result('g1-overlay')));
    const phases = await traceOf('g1');
    expect(phases.map(({ name }) => name)).toEqual(['quiet', 'restored', 'taken-over', 'end']);
    const found = followPhases(log, phases, { restored: 'gap', 'taken-over': 'repeats' });
    expect(found.behind).toBe(0);
    expect(found.matched).toBeGreaterThan(5000);
    const last = await deviceModelReport('device-model-2.log');
    const sum = (key: 'writes' | 'discards' | 'flushes'): number =>
      phases.reduce((total, phase) => total + phase[key], 0);
    process.stderr.write(
      `xen g1: the guest traced ${sum('writes')} writes, ${sum('discards')} discards, ${sum('flushes')} flushes; order matched ${found.matched} block changes of ${found.matched + found.skipped}` +
        `, ${found.skipped} sent again by the restored guest, ${found.repeated} carried out again after the kill; the last device model: ${last.requests} requests, ${last.indirect} indirect, ${last.flushes} flushes\n`,
    );
  });

  test('every kind of request came over the rings, and none was refused', async () => {
    const quiet = report.g2?.['quiet'];
    expect(quiet).toMatchObject({ state: 'connected', refused: 0, failed: 0, connections: 1 });
    expect(quiet?.ringRequests).toBe(32);
    expect(quiet?.indirect).toBeGreaterThan(0);
    // This disk offers no flush, so the frontend fell back on barriers, and no persistent grants.
    expect(quiet?.barriers).toBeGreaterThan(0);
    expect(quiet?.persistentFrames).toBe(0);
    expect(await deviceModelReport('device-model-2.log')).toMatchObject({ ringRequests: 128 });
  });

  test('a device of our own kind is closed in order and served again', () => {
    expect(report.closedBy).toBe('closed');
    expect(report.deviceGone).toBe(true);
  });

  test('a device is handed on while the guest writes', () => {
    const { left, successor } = report.g2 ?? {};
    expect(left).toMatchObject({ state: 'ended' });
    expect(successor).toMatchObject({ takenOver: 1, refused: 0, failed: 0 });
    // A guest that waits for its disk is not given another one of the same size.
    expect(report.wrongDisk).toBe('XEN_FAILED');
  });

  test('a device of our own kind is taken over from a program that was killed', () => {
    expect(report.ownKindWaits).toBe(true);
    expect(report.g2?.['afterKill']).toMatchObject({ takenOver: 1, refused: 0, failed: 0 });
  });

  test('a domain that is saved or destroyed ends its device, and only that', () => {
    expect(report.savedEnds).toBe('frontend-gone');
    expect(report.destroyedEnds).toBe('frontend-gone');
    expect(report.g2DigestRestored).toBe(report.g2Digest);
  });

  test('a disk that is read-only can be read and not written', () => {
    expect(report.readOnlyReads).toBe(true);
    expect(report.readOnlyRefusesWrites).toBe(true);
  });

  test('through grant copies, barriers and a restore the order holds, too', async () => {
    const log = await logChanges(readDirtyLog(result('g2-overlay')));
    const phases = await traceOf('g2');
    const found = followPhases(log, phases, { killed: 'repeats' });
    expect(phases).toHaveLength(5);
    expect(found.matched).toBeGreaterThan(500);
    const quiet = report.g2?.['quiet'];
    // Direct and indirect, one write request in the ring is one in the trace.
    expect(quiet?.writes).toBe(phases[0]?.writes);
    process.stderr.write(
      `xen g2: ${quiet?.requests} requests, ${quiet?.indirect} indirect, ${quiet?.barriers} barriers, ${quiet?.flushes} flushes while quiet; order matched ${found.matched} of ${found.matched} block changes\n`,
    );
  });

  test('a domain that does not exist is an error with a name', () => {
    expect(report.noSuchDomain).toBe('XEN_NO_DOMAIN');
  });
});

test('where there is no Xen, serving to it says so and what to do', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'blk-'));
  try {
    await using scratch = await Scratch.create();
    await using disk = await VirtualDisk.open(await scratch.chain(1 << 20));
    await expect(
      disk.serveXen({ domainId: 1, device: 'xvda', stateDirectory: directory }),
    ).rejects.toMatchObject({ code: 'XEN_UNAVAILABLE' });
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
});
