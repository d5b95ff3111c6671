import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';

import { effectsReport, migrate, type MigrationReport } from '../migration/index.js';
import { openStore } from '../snapshot/index.js';
import { bootTiny, emptyPair, seedTo, session, VM, type Pair } from '../testing/tiny-pair.js';

import { startCountingServers, type CountingServers } from './testing/counting-servers.js';
import { capturePackets, mayCapture } from './testing/loopback-capture.js';
import { effectPolicies, type EffectPolicy } from './withhold.js';

/** Of each policy; the long form is a claim of its own and takes hours. */
const ROUNDS = Number(process.env['REPRISE_EXACTLY_ONCE_ROUNDS'] ?? 1);

describe('a session that posts a form and sends a mail, migrated with replay', () => {
  let servers: CountingServers;
  let pair: Pair;
  /** Where the VM is, and where it goes next. */
  let hosts: [Pair['here'], Pair['there']];
  /** Bytes of packets, a migration each. */
  const captured: number[] = [];

  beforeAll(async () => {
    servers = await startCountingServers();
    pair = await emptyPair();
    hosts = [pair.here, pair.there];
    await bootTiny(pair.here.home, { network: 'user' });
    await seedTo(pair.here, pair.there);
  });

  afterAll(async () => {
    await pair[Symbol.asyncDispose]();
    await servers[Symbol.asyncDispose]();
  });

  afterEach(() => {
    hosts = [hosts[1], hosts[0]];
  });

  const cases = Array.from({ length: ROUNDS }, (_, round) =>
    effectPolicies.map((policy): [EffectPolicy, number] => [policy, round]),
  ).flat();

  test.each(cases)('did both once, and they stay done once: %s (round %i)', async (policy) => {
    const [here, there] = hosts;
    const { httpPort, smtpPort } = servers;
    const before = { posts: servers.requests.length, mails: servers.mails };
    await session(here.home, [
      `wget -q -O- --post-data=a=1 http://10.0.2.2:${String(httpPort)}/order &`,
      `printf 'EHLO a\\r\\nMAIL FROM:<a@b>\\r\\nRCPT TO:<c@d>\\r\\nDATA\\r\\nhi\\r\\n.\\r\\nQUIT\\r\\n' | nc 10.0.2.2 ${String(smtpPort)} &`,
      'seq 1 2000 > numbers; sync',
    ]);
    expect(servers.requests.length).toBe(before.posts + 1);
    expect(servers.mails).toBe(before.mails + 1);

    const after = { connections: servers.connections };
    const capture = mayCapture ? await capturePackets([httpPort, smtpPort]) : undefined;
    const report = await move(here, there, policy);
    if (capture !== undefined) captured.push(await capture.stop());
    expect(servers.connections).toBe(after.connections);
    // All of the log went in; a guest without its network shows other screens.
    expect(['complete', 'diverged']).toContain(report.replay?.outcome);

    const sent = await effectsAt(here.home);
    expect(sent.effects.map(({ flow, event }) => [flow.port, event !== undefined])).toEqual([
      [httpPort, true],
      [smtpPort, true],
    ]);
    expect(sent.complete).toBe(true);
    expect(report.effects).toMatchObject({ policy, found: 2, marked: 2 });
    const tried = new Set(report.effects?.attempts.list.map(({ port }) => port));
    // Blocked, the guest tries both again, in vain; without the Returns it tries neither.
    expect([httpPort, smtpPort].map((port) => tried.has(port))).toEqual(
      policy === 'block' ? [true, true] : [false, false],
    );
  });

  // Only who may capture can say so: skipped for others, and counted as such.
  (mayCapture ? test : test.skip)('no packet to either server was seen in any migration', () => {
    expect(captured).toEqual(cases.map(() => 0));
  });

  async function move(
    here: Pair['here'],
    there: Pair['there'],
    effects: EffectPolicy,
  ): Promise<MigrationReport> {
    const outcome = await migrate({
      ...{ home: here.home, name: VM, destination: there.address },
      ...{ strategy: 'replay', resume: false, effects },
    });
    if (outcome.kind !== 'migrated') throw new Error(`it ended as ${outcome.kind}`);
    return outcome.report;
  }

  async function effectsAt(home: string) {
    await using store = await openStore({ home });
    const [newest] = (await effectsReport(store, VM)).sessions;
    if (newest === undefined) throw new Error('the session is not in the report');
    return newest;
  }
});
