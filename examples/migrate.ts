/**
 * Moves a VM with a progress display of its own.
 *
 *   node examples/dist/migrate.js NAME DESTINATION [RATE]
 *
 * DESTINATION is user@host (ssh), or unix:/path where `reprise receive --listen` waits.
 */
import {
  migrate,
  parseRate,
  RepriseError,
  resolveHome,
  type MigrationProgress,
} from '@reprise/core';

const [name, destination, rate] = process.argv.slice(2);
if (name === undefined || destination === undefined) {
  console.error('usage: migrate NAME DESTINATION [RATE]');
  process.exit(2);
}

const interrupted = new AbortController();
process.once('SIGINT', () => {
  interrupted.abort();
});

/** One line that is written over: the stage, a bar, and what has crossed the link. */
function show({ stage, text, done, total, bytes }: MigrationProgress): void {
  const share = done === undefined || total === undefined || total === 0 ? 0 : done / total;
  const bar = '#'.repeat(Math.round(share * 20)).padEnd(20, '.');
  const kilobytes = ((bytes?.total ?? 0) / 1000).toFixed(1);
  const line = `${stage.padEnd(8)} [${bar}] ${kilobytes.padStart(8)} kB  ${text}`;
  process.stderr.write(process.stderr.isTTY ? `\r\x1b[K${line}` : `${line}\n`);
}

try {
  const outcome = await migrate({
    home: resolveHome(process.env),
    ...{ name, destination },
    ...(rate === undefined ? {} : { bytesPerSecond: parseRate(rate) }),
    signal: interrupted.signal,
    onProgress: show,
  });
  process.stderr.write('\n');
  if (outcome.kind === 'migrated') {
    const { bytes, seconds, residue, resumed } = outcome.report;
    console.log(
      `${name} is ${resumed ? 'running' : 'suspended'} at ${destination}: ${String(bytes.total)} bytes ` +
        `in ${seconds.total.toFixed(1)} s, of which ${String(residue.ramPages)} pages of memory ` +
        `and ${String(residue.diskBlocks)} blocks of disk had to be sent.`,
    );
  } else {
    console.log(`Nothing was left to do (${outcome.kind}).`);
  }
} catch (error) {
  process.stderr.write('\n');
  // Every operating fault has a stable code to act on, and a message that says what to do next.
  console.error(error instanceof RepriseError ? `${error.code}: ${error.message}` : error);
  process.exit(1);
}
