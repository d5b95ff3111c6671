import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import {
  migrate,
  seed,
  type ByteTotals,
  type MigrationProgress,
  type MigrationReport,
  type SshOptions,
} from '@reprise/core';
import type { GuestName } from '@reprise/guests';

import { measureRsync, type Traffic } from '../baseline/index.js';
import {
  bootToReady,
  createRunDirectory,
  importGuest,
  RunningGuest,
  sameState,
  serveReceiver,
  snapshotFiles,
} from '../fixture/index.js';
import {
  desktopEdit,
  desktopTerminal,
  playSession,
  tinyHomecoming,
  tinyVisit,
  type Session,
} from '../session/index.js';

import { startSshServer } from './ssh-server.js';

const REPRISE = fileURLToPath(new URL('../../../cli/bin/reprise.js', import.meta.url));
/** A screen that has not changed for this long will not change by itself. */
const STILL_MS = 4_000;
const sessions: Readonly<Record<GuestName, readonly [Session, Session]>> = {
  tiny: [tinyVisit, tinyHomecoming],
  desktop: [desktopEdit, desktopTerminal],
};

export interface DemoOptions {
  readonly guest: GuestName;
  /** What the guest's time counts; in virtual time the first session is played once more under the host's clock. */
  readonly clock: 'virtual' | 'host';
  /** Through a real sshd on loopback instead of a unix socket. */
  readonly ssh: boolean;
  readonly bytesPerSecond: number;
  /** Where to leave pictures of the screen; nowhere when left out. */
  readonly screens: string | undefined;
  readonly signal: AbortSignal;
  /** What is going on, a sentence each. */
  readonly say: (text: string) => void;
  /** Something that changes quickly; each replaces the one before. */
  readonly show: (text: string) => void;
}

export interface DemoMigration {
  readonly direction: 'there' | 'back';
  readonly strategy: string;
  readonly bytes: ByteTotals;
  readonly baselines: { readonly rsyncZ: Traffic };
  /** The same session of a guest under the host's clock, whose replay is opportunistic; null: not played. */
  readonly opportunistic: { readonly total: number } | null;
  readonly replay: {
    readonly events: number;
    readonly anchorsMissed: number;
    readonly seconds: number;
    /** It came to the very state; nothing of it travelled. */
    readonly exact: boolean;
  } | null;
  readonly residue: { readonly ramPages: number; readonly diskBlocks: number };
  readonly seconds: MigrationReport['seconds'];
  /** cmp found RAM, disk and device state byte-identical on both hosts. */
  readonly identical: boolean;
  /** The screen at resume is the screen at suspend. */
  readonly sameScreen: boolean;
}

export interface DemoResult {
  /** Everything that was checked held. */
  readonly verified: boolean;
  readonly guest: GuestName;
  readonly clock: DemoOptions['clock'];
  readonly link: { readonly kind: 'unix' | 'ssh'; readonly bytesPerSecond: number };
  readonly migrations: readonly DemoMigration[];
  readonly seconds: number;
}

/** One of the two hosts: a store, and how the other one reaches it. */
interface Host {
  readonly label: string;
  readonly home: string;
  readonly destination: string;
  readonly ssh?: SshOptions;
}

/** Boots a guest, works in it, moves it there, works on, moves it back; checks everything. */
export async function runDemo(options: DemoOptions): Promise<DemoResult> {
  const startedMs = Date.now();
  const { guest, clock, say, signal } = options;
  await using run = await createRunDirectory();
  await using hosts = await openHosts(run.path, options);
  const { office, home } = hosts;
  const progress = { signal, onProgress: options.show };

  say(`booting the guest '${guest}' under emulation`);
  await importGuest(office.home, guest, guest, { ...progress, clock });
  {
    await using booted = await bootToReady(office.home, guest, progress);
    await booted.suspend();
  }
  say(`suspended; seeding ${home.label} with it, once and at full speed`);
  await seed({ home: office.home, name: guest, signal, ...reach(home) });

  const [first, second] = sessions[guest];
  const there = await migrationOf('there', office, home, first, run.path, options);
  const back = await migrationOf('back', home, office, second, run.path, options);
  const opportunistic =
    clock === 'virtual' ? await opportunisticMigration(hosts, first, options) : null;
  const migrations = [{ ...there, opportunistic }, back];
  await using running = await RunningGuest.attach(office.home, guest);
  await running.suspend();
  return {
    verified: migrations.every((m) => m.identical && m.sameScreen),
    guest,
    clock,
    link: { kind: options.ssh ? 'ssh' : 'unix', bytesPerSecond: options.bytesPerSecond },
    migrations,
    seconds: (Date.now() - startedMs) / 1000,
  };
}

async function migrationOf(
  direction: 'there' | 'back',
  from: Host,
  to: Host,
  session: Session,
  directory: string,
  options: DemoOptions,
): Promise<DemoMigration> {
  const { guest, say, show, signal } = options;
  const picture = (name: string) => join(options.screens ?? directory, `${direction}-${name}.png`);
  if (options.screens !== undefined) await mkdir(options.screens, { recursive: true });

  const running =
    direction === 'there'
      ? await RunningGuest.start(from.home, guest, { signal })
      : await RunningGuest.attach(from.home, guest);
  say(`at ${from.label}: ${session.title}`);
  {
    await using viewer = await running.openViewer(signal);
    await playSession(viewer, session, {
      signal,
      guestCpuMs: () => running.cpuMs(),
      onStep: (done, total) => {
        show(`typing, step ${String(done)} of ${String(total)}`);
      },
    });
    // The picture is taken while the guest still runs: what fades or settles by itself is let go first.
    await viewer.waitForQuiet({ quietMs: STILL_MS, timeoutMs: 10 * STILL_MS, signal });
  }
  await running.screenshot(picture('suspended'));

  say(`migrating from ${from.label} to ${to.label}`);
  const outcome = await migrate({
    ...{ home: from.home, name: guest, signal, ...reach(to) },
    bytesPerSecond: options.bytesPerSecond,
    strategy: 'replay',
    onProgress: (p) => {
      show(progressLine(p));
    },
  });
  if (outcome.kind !== 'migrated') throw new Error(`the migration ended as '${outcome.kind}'`);
  const { report } = outcome;
  const arrived = await RunningGuest.attach(to.home, guest);
  await arrived.screenshot(picture('resumed'));

  say('comparing both hosts with cmp, and measuring rsync -z on the same states');
  const files = (host: Host, root: string, name: string) =>
    snapshotFiles(host.home, guest, join(directory, `${direction}-${name}`), { root, signal });
  const source = await files(from, report.target, 'source');
  const destination = await files(to, report.target, 'destination');
  const differences = await sameState(source, destination, { signal });
  for (const { part, what } of differences) say(`DIFFERENT ${part}: ${what}`);
  const base = await files(from, report.base, 'base');
  const rsyncZ = await measureRsync(base, source, { directory, signal });
  const [before, after] = [
    await readFile(picture('suspended')),
    await readFile(picture('resumed')),
  ];
  return {
    direction,
    strategy: report.strategy,
    bytes: report.bytes,
    baselines: { rsyncZ: { total: rsyncZ.total, sent: rsyncZ.sent, received: rsyncZ.received } },
    replay:
      report.replay === undefined
        ? null
        : {
            events: report.replay.events,
            anchorsMissed: report.replay.anchorsMissed,
            seconds: report.replay.seconds,
            exact: report.replay.exact ?? false,
          },
    opportunistic: null,
    residue: report.residue,
    seconds: report.seconds,
    identical: differences.length === 0,
    sameScreen: before.equals(after),
  };
}

/** What the first session costs where the guest's clock is the host's: another VM, the same way over. */
async function opportunisticMigration(
  { office, home }: { readonly office: Host; readonly home: Host },
  session: Session,
  options: DemoOptions,
): Promise<{ readonly total: number }> {
  const { guest, say, show, signal, bytesPerSecond } = options;
  const name = `${guest}-host-clock`;
  const progress = { signal, onProgress: show };
  say(`once more under the host's clock, where a replay is opportunistic: ${session.title}`);
  await importGuest(office.home, name, guest, { ...progress, clock: 'host' });
  {
    await using booted = await bootToReady(office.home, name, progress);
    await booted.suspend();
  }
  await seed({ home: office.home, name, signal, ...reach(home) });
  {
    await using running = await RunningGuest.start(office.home, name, { signal });
    await using viewer = await running.openViewer(signal);
    await playSession(viewer, session, { signal, guestCpuMs: () => running.cpuMs() });
    await viewer.close();
    await running.suspend();
  }
  const outcome = await migrate({
    ...{ home: office.home, name, signal, ...reach(home), bytesPerSecond },
    ...{ strategy: 'replay', resume: false },
    onProgress: (p) => {
      show(progressLine(p));
    },
  });
  if (outcome.kind !== 'migrated') throw new Error(`the migration ended as '${outcome.kind}'`);
  return { total: outcome.report.bytes.total };
}

async function openHosts(
  directory: string,
  options: DemoOptions,
): Promise<{ office: Host; home: Host } & AsyncDisposable> {
  const homes = { office: join(directory, 'office'), home: join(directory, 'home') };
  if (!options.ssh) {
    const office = await serveReceiver(homes.office);
    const home = await serveReceiver(homes.home);
    return {
      office: { label: 'the office', home: homes.office, destination: office.destination },
      home: { label: 'home', home: homes.home, destination: home.destination },
      [Symbol.asyncDispose]: async () => {
        await office[Symbol.asyncDispose]();
        await home[Symbol.asyncDispose]();
      },
    };
  }
  const server = await startSshServer(join(directory, 'ssh'));
  const overSsh = (label: string, home: string): Host => ({
    ...{ label, home, destination: server.destination },
    ssh: {
      sshArguments: server.sshArguments,
      remoteCommand: [process.execPath, REPRISE, '--home', home, 'receive'].map(quote).join(' '),
    },
  });
  return {
    office: overSsh('the office', homes.office),
    home: overSsh('home', homes.home),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

/** How the other host is reached, as seed and migrate take it. */
function reach(host: Host): { destination: string; ssh?: SshOptions } {
  const { destination, ssh } = host;
  return { destination, ...(ssh === undefined ? {} : { ssh }) };
}

function quote(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}

function progressLine({ stage, text, done, total, bytes }: MigrationProgress): string {
  const share =
    done === undefined || total === undefined || total === 0
      ? ''
      : ` ${String(Math.floor((100 * done) / total))} %`;
  return `${stage}: ${text}${share}, ${((bytes?.total ?? 0) / 1000).toFixed(1)} kB on the link`;
}
