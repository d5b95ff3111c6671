import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import {
  effectsReport,
  migrate,
  openStore,
  suspendVm,
  type EffectPolicy,
  type MigrationReport,
} from '@reprise/core';
import { capturePackets, type CountingServers } from '@reprise/core/gate-testing';

import {
  createScratchDirectory,
  RunningGuest,
  seededPair,
  serveReceiver,
  type Receiver,
} from '../fixture/index.js';

import type { Counts, EffectsRound } from './results.js';

export interface BlockOptions {
  readonly servers: CountingServers;
  /** Whether every packet in this network is of our making, and may be captured. */
  readonly isolated: boolean;
  readonly build: string;
  readonly directory: string;
  readonly signal: AbortSignal;
  readonly onProgress: (text: string) => void;
}

interface Host {
  readonly home: string;
  readonly receiver: Receiver;
}

const DONE_TIMEOUT_MS = 120_000;
const STILL_MS = 700;

/** Rounds on one fresh pair of hosts: the VM goes to and fro, a session before each journey. */
export class EffectsBlock implements AsyncDisposable {
  readonly #o: BlockOptions;
  readonly #vm: string;
  /** To be disposed of from the last to the first. */
  readonly #held: readonly AsyncDisposable[];
  #here: Host;
  #there: Host;

  private constructor(
    options: BlockOptions,
    vm: string,
    held: readonly AsyncDisposable[],
    hosts: readonly [Host, Host],
  ) {
    this.#o = options;
    this.#vm = vm;
    this.#held = held;
    [this.#here, this.#there] = hosts;
  }

  static async open(options: BlockOptions): Promise<EffectsBlock> {
    const { signal, onProgress } = options;
    const held: AsyncDisposable[] = [];
    try {
      const scratch = await createScratchDirectory(options.directory, 'effects');
      held.push(scratch);
      const pair = await seededPair('tiny', join(scratch.path, 'pair'), {
        ...{ network: 'user', signal, onProgress },
      });
      const host = async (home: string): Promise<Host> => {
        const receiver = await serveReceiver(home, { signal });
        held.push(receiver);
        return { home, receiver };
      };
      const hosts = [await host(pair.a), await host(pair.b)] as const;
      const block = new EffectsBlock(options, pair.name, held, hosts);
      await block.#prepare();
      return block;
    } catch (error) {
      await release(held);
      throw error;
    }
  }

  /** A session, and its migration with replay. */
  async round(policy: EffectPolicy): Promise<EffectsRound> {
    const { servers, isolated, build } = this.#o;
    const before = countsOf(servers);
    await this.#session();
    const after = countsOf(servers);
    const capture = isolated ? await capturePackets() : undefined;
    const report = await this.#migrate({ strategy: 'replay', effects: policy });
    const packetBytes = (await capture?.stop()) ?? null;
    const migration = difference(after, countsOf(servers));
    const ledgerComplete = await this.#ledgerComplete(report);
    [this.#here, this.#there] = [this.#there, this.#here];
    const { replay } = report;
    const outcome = [replay?.outcome ?? 'shipped', replay?.reason].filter(Boolean).join(': ');
    return {
      ...{ policy, build, session: difference(before, after), migration, packetBytes },
      ...{ ledgerComplete, attemptsAsExpected: this.#attemptsAsExpected(report), outcome },
      replaySeconds: replay?.seconds ?? 0,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await release(this.#held);
  }

  /** What is typed in each session is short: the two programs stand in the guest's home. */
  async #prepare(): Promise<void> {
    const { httpPort, smtpPort } = this.#o.servers;
    const mail = ['EHLO a', 'MAIL FROM:<a@b>', 'RCPT TO:<c@d>', 'DATA', 'hi', '.', 'QUIT', ''];
    await this.#inSession(async (type) => {
      await type(`echo "wget -qO- --post-data=a=1 http://10.0.2.2:${String(httpPort)}/order" > p`);
      await type(`echo "printf '${mail.join('\\r\\n')}' | nc 10.0.2.2 ${String(smtpPort)}" > m`);
    });
    await this.#migrate({ strategy: 'ship', effects: 'block' });
    [this.#here, this.#there] = [this.#there, this.#here];
  }

  async #session(): Promise<void> {
    const { servers } = this.#o;
    await this.#inSession(async (type) => {
      const before = countsOf(servers);
      await type('sh p &');
      await this.#until(() => servers.requests.length > before.posts, 'the form was not posted');
      await type('sh m &');
      await this.#until(() => servers.mails > before.mails, 'the mail was not sent');
      await type('date > last; sync');
    });
  }

  async #inSession(work: (type: (line: string) => Promise<void>) => Promise<void>): Promise<void> {
    const { signal } = this.#o;
    {
      await using guest = await RunningGuest.start(this.#here.home, this.#vm, { signal });
      await using viewer = await guest.openViewer(signal);
      await work(async (line) => {
        await viewer.type(`${line}\n`, { gapMs: 40, signal });
        await viewer.waitForQuiet({ quietMs: STILL_MS, timeoutMs: DONE_TIMEOUT_MS, signal });
      });
      await viewer.drained();
      await suspendVm(this.#here.home, this.#vm, { squeeze: false });
    }
  }

  async #migrate(how: {
    readonly strategy: 'ship' | 'replay';
    readonly effects: EffectPolicy;
  }): Promise<MigrationReport> {
    const { home } = this.#here;
    const { destination, said } = this.#there.receiver;
    const { signal } = this.#o;
    const outcome = await migrate({
      ...{ ...how, home, name: this.#vm, destination, resume: false, signal },
    });
    if (outcome.kind === 'migrated') return outcome.report;
    throw new Error(`The migration ended as '${outcome.kind}'. It said: ${said.join(' ')}`);
  }

  async #ledgerComplete({ effects }: MigrationReport): Promise<boolean> {
    const { httpPort, smtpPort } = this.#o.servers;
    await using store = await openStore({ home: this.#here.home });
    const [newest] = (await effectsReport(store, this.#vm)).sessions;
    const ports = newest?.effects.map(({ flow, event }) => (event === undefined ? 0 : flow.port));
    return (
      newest?.complete === true &&
      String(ports) === String([httpPort, smtpPort]) &&
      effects?.found === 2 &&
      effects.marked === 2
    );
  }

  #attemptsAsExpected({ effects }: MigrationReport): boolean {
    const { httpPort, smtpPort } = this.#o.servers;
    const tried = new Set(effects?.attempts.list.map(({ port }) => port));
    const again = effects?.policy === 'block';
    return [httpPort, smtpPort].every((port) => tried.has(port) === again);
  }

  async #until(done: () => boolean, otherwise: string): Promise<void> {
    const deadline = performance.now() + DONE_TIMEOUT_MS;
    while (!done()) {
      if (performance.now() > deadline) throw new Error(`In the session, ${otherwise} in time.`);
      await sleep(50, undefined, { signal: this.#o.signal });
    }
  }
}

async function release(held: readonly AsyncDisposable[]): Promise<void> {
  for (const one of held.toReversed()) await one[Symbol.asyncDispose]();
}

function countsOf({ requests, mails, connections }: CountingServers): Counts {
  return { posts: requests.length, mails, connections };
}

function difference(before: Counts, after: Counts): Counts {
  return {
    posts: after.posts - before.posts,
    mails: after.mails - before.mails,
    connections: after.connections - before.connections,
  };
}
