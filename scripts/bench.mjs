#!/usr/bin/env node
// Benchmarks: pnpm bench [NAME] [arguments]. Prepares what the one asked for needs first, guests too.
import { join } from 'node:path';
import { run } from './lib/process.mjs';
import { ROOT } from './lib/workspace.mjs';
import { setup } from './setup.mjs';

const args = process.argv.slice(2);
const asksForHelp = args.includes('--help') || args.includes('-h');
const needsGuests = !asksForHelp && !args[0]?.startsWith('driver');
await setup({
  uses: ['build', 'run', 'bench'],
  guests: needsGuests ? ['tiny', 'desktop'] : [],
});
const bench = join(ROOT, 'packages', 'bench', 'dist', 'main.js');
process.exitCode = (await run(process.execPath, [bench, ...args])).status;
