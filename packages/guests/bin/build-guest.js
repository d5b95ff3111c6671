#!/usr/bin/env node
import { ensureGuest, GuestError, IMAGE_NAMES } from '../dist/index.js';

const usage = `usage: build-guest [--quiet] NAME...   (${IMAGE_NAMES.join(', ')})
Builds guests into the cache and prints where they are, one JSON object a line (not with --quiet).`;

const names = process.argv.slice(2).filter((name) => name !== '--quiet');
const quiet = process.argv.includes('--quiet');
if (names.includes('--help') || names.includes('-h')) {
  console.log(usage);
} else if (names.length === 0) {
  console.error(usage);
  process.exitCode = 2;
} else {
  const cancel = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.once(name, () => cancel.abort(new Error(name)));
  }
  try {
    for (const name of names) {
      const guest = await ensureGuest(name, {
        signal: cancel.signal,
        onProgress: (line) => console.error(`guest ${name}: ${line}`),
      });
      if (!quiet) console.log(JSON.stringify(guest));
    }
  } catch (error) {
    if (!(error instanceof GuestError)) throw error;
    console.error(`${error.code}: ${error.message}`);
    process.exitCode = cancel.signal.aborted ? 130 : 1;
  }
}
