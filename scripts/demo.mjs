#!/usr/bin/env node
// The demo: a guest is booted, typed into, moved between two stores, and moved back.
import { join } from 'node:path';
import { run } from './lib/process.mjs';
import { ROOT } from './lib/workspace.mjs';
import { setup } from './setup.mjs';

const args = process.argv.slice(2);
const wanted = args.flatMap((argument, index) =>
  argument.startsWith('--guest=')
    ? [argument.slice('--guest='.length)]
    : argument === '--guest'
      ? [args[index + 1] ?? 'tiny']
      : [],
);
const asksForHelp = args.includes('--help') || args.includes('-h');
const guests = ['tiny', 'desktop'].includes(wanted[0]) ? [wanted[0]] : ['tiny'];
await setup({ uses: ['build', 'run'], guests: asksForHelp ? [] : guests });
const demo = join(ROOT, 'packages', 'bench', 'dist', 'demo', 'main.js');
process.exitCode = (await run(process.execPath, [demo, ...args])).status;
