import { writeFile } from 'node:fs/promises';

import { byteClasses, parseRate, RepriseError, virtualTimeReadiness } from '@reprise/core';
import Table from 'cli-table3';
import { Command, Option } from 'commander';

import { runDemo, type DemoResult } from './demo.js';

interface Options {
  readonly json?: string;
  readonly guest: 'tiny' | 'desktop';
  readonly ssh?: boolean;
  readonly limit: string;
  readonly screens?: string;
}

/** `npm run demo`: one VM moves there and back, before your eyes. */
const program = new Command('demo')
  .description('moves a VM from one store to another and back, and checks that nothing was lost')
  .option('--json <file>', 'write the result to a file')
  .addOption(new Option('--guest <name>').choices(['tiny', 'desktop']).default('tiny'))
  .option('--ssh', 'through a real sshd on loopback')
  .option('--limit <rate>', 'the link, each way', '5mbit')
  .option('--screens <directory>', 'leave pictures of the screen there')
  .action(demo);

const interrupted = new AbortController();
for (const name of ['SIGINT', 'SIGTERM'] as const) {
  process.once(name, () => {
    interrupted.abort();
  });
}

try {
  await program.parseAsync();
} catch (error) {
  clearLine();
  const told = error instanceof RepriseError || interrupted.signal.aborted;
  console.error(told && error instanceof Error ? `demo: ${error.message}` : error);
  process.exit(interrupted.signal.aborted ? 130 : 1);
}

/** Virtual time where this host runs guests in it, and loudly the host's clock elsewhere. */
async function clockOfGuests(): Promise<'virtual' | 'host'> {
  const readiness = await virtualTimeReadiness({
    signal: interrupted.signal,
    onTest: () => {
      console.error('testing virtual time on this host, once');
    },
  });
  if (readiness.ready) return 'virtual';
  console.error(
    `NO VIRTUAL TIME HERE: ${readiness.because}. The demo goes on under the host's clock: replays are opportunistic, and more has to travel. Run reprise doctor.`,
  );
  return 'host';
}

async function demo(options: Options): Promise<void> {
  const startedMs = Date.now();
  const result = await runDemo({
    guest: options.guest,
    clock: await clockOfGuests(),
    ssh: options.ssh ?? false,
    bytesPerSecond: parseRate(options.limit),
    screens: options.screens,
    signal: interrupted.signal,
    say: (text) => {
      clearLine();
      const seconds = ((Date.now() - startedMs) / 1000).toFixed(0).padStart(4);
      process.stderr.write(`${seconds} s  ${text}\n`);
    },
    show: (text) => {
      if (!process.stderr.isTTY) return;
      clearLine();
      process.stderr.write(`        ${text.slice(0, (process.stderr.columns || 100) - 10)}`);
    },
  });
  clearLine();
  console.log(summary(result));
  if (options.json !== undefined) {
    await writeFile(options.json, `${JSON.stringify(result, undefined, 2)}\n`);
  }
  if (!result.verified) process.exitCode = 1;
}

function summary({ migrations, verified, seconds, link, clock }: DemoResult): string {
  const table = new Table({
    head: ['', ...migrations.map((m) => m.direction)],
    style: { head: [], border: [] },
    colAligns: ['left', ...migrations.map(() => 'right' as const)],
  });
  const row = (name: string, value: (m: DemoResult['migrations'][number]) => string) =>
    table.push([name, ...migrations.map(value)]);
  for (const name of byteClasses) {
    const of = (m: DemoResult['migrations'][number]) =>
      m.bytes.byClass[name].sent + m.bytes.byClass[name].received;
    if (migrations.some((m) => of(m) > 0)) row(`${name}, bytes`, (m) => of(m).toLocaleString('en'));
  }
  row('all of it, both ways', (m) => m.bytes.total.toLocaleString('en'));
  row('rsync -z, both ways', (m) => m.baselines.rsyncZ.total.toLocaleString('en'));
  if (migrations.some((m) => m.opportunistic !== null)) {
    row(
      "the same under the host's clock",
      (m) => m.opportunistic?.total.toLocaleString('en') ?? '-',
    );
  }
  row('rsync -z / reprise', (m) => `${(m.baselines.rsyncZ.total / m.bytes.total).toFixed(1)} x`);
  row('events replayed', (m) => (m.replay === null ? '-' : String(m.replay.events)));
  row('replay exact', (m) => (m.replay?.exact === true ? 'yes' : 'no'));
  row('anchors missed', (m) => (m.replay === null ? '-' : String(m.replay.anchorsMissed)));
  row('RAM pages sent', (m) => String(m.residue.ramPages));
  row('disk blocks sent', (m) => String(m.residue.diskBlocks));
  row(
    'seconds, of which replay',
    (m) => `${m.seconds.total.toFixed(1)} / ${m.seconds.replay.toFixed(1)}`,
  );
  row('RAM, disk, device identical', (m) => (m.identical ? 'yes' : 'NO'));
  row('screen the same', (m) => (m.sameScreen ? 'yes' : 'NO'));
  const rate = `${((link.bytesPerSecond * 8) / 1e6).toFixed(1)} Mbit/s`;
  const verdict = verified ? 'Verified' : 'NOT verified';
  return `${table.toString()}\n${verdict}: there and back in ${clock === 'virtual' ? 'virtual time' : "the host's time"}, over ${link.kind} at ${rate}, ${seconds.toFixed(0)} s in all.`;
}

function clearLine(): void {
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
}
