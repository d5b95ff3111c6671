import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

import { capturePackets, mayCapture } from '../gate/testing/loopback-capture.js';
import { readInputLog } from '../input/index.js';
import { openStore } from '../snapshot/index.js';
import { expectIdentical } from '../testing/identical.js';
import { bootTiny, emptyPair, seedTo, session, VM, type Pair } from '../testing/tiny-pair.js';

import { migrate, type MigrationReport } from './index.js';

const PAGE_BYTES = 128 * 1024;

/** A server on the host that gives every visitor another page: only a log can bring it back. */
interface PageServer extends AsyncDisposable {
  readonly port: number;
  readonly visits: number;
}

async function servePages(): Promise<PageServer> {
  let visits = 0;
  const server = createServer((_request, response) => {
    visits++;
    response.end(randomBytes(PAGE_BYTES));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    get visits() {
      return visits;
    },
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

async function move({ here, there }: Pair): Promise<MigrationReport> {
  const outcome = await migrate({
    ...{ home: here.home, name: VM, destination: there.address },
    ...{ strategy: 'replay', resume: false },
  });
  if (outcome.kind !== 'migrated') throw new Error(`the migration was ${outcome.kind}`);
  return outcome.report;
}

async function sessionLog({ here }: Pair) {
  await using store = await openStore({ home: here.home });
  const path = (await store.head(VM))?.paths.inputLog ?? '';
  return await readInputLog(path, await store.deriveKey(VM, 'input-log'));
}

describe.each(['log', 'drop'] as const)('a VM in virtual time with a network (%s)', (policy) => {
  let server: PageServer;
  let pair: Pair;

  beforeAll(async () => {
    server = await servePages();
    pair = await emptyPair();
    const machine = { clock: 'virtual', network: 'user', inboundFrames: policy } as const;
    await bootTiny(pair.here.home, machine);
    await seedTo(pair.here, pair.there);
    const url = `http://10.0.2.2:${String(server.port)}/`;
    await session(pair.here.home, [`cd; wget -q -O page ${url}; md5sum page; sync`, 'ls -l']);
  }, 300_000);

  afterAll(async () => {
    await pair[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
  });

  test('arrives exactly, and the page was fetched once', async () => {
    const log = await sessionLog(pair);
    expect(server.visits).toBe(1);
    const bytes = (log.frames ?? []).reduce((sum, frame) => sum + frame.bytes.length, 0);
    if (policy === 'log') expect(bytes).toBeGreaterThan(PAGE_BYTES);
    else expect([bytes, log.framesMissingFromMs]).toEqual([0, expect.any(Number)]);

    const capture = mayCapture ? await capturePackets([server.port]) : undefined;
    const report = await move(pair);
    if (capture !== undefined) expect(await capture.stop()).toBe(0);
    expect(server.visits).toBe(1);
    await expectIdentical(pair);

    expect(report.replay).toMatchObject({ outcome: 'complete', pacing: 'virtual-time' });
    if (policy === 'log') {
      // What the replay sent ended in its ledger. Without the log not even the gateway's address is known.
      expect(report.effects?.attempts.list.map(({ port }) => port)).toContain(server.port);
      expect(report.notes).toEqual([]);
      expect(report.residue).toEqual({ ramPages: 0, diskBlocks: 0 });
    } else {
      expect(report.notes.join(' ')).toMatch(/not exact.*network frames/);
      expect(report.residue.ramPages).toBeGreaterThan(0);
    }
  });
});
