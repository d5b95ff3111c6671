// What the Xen end-to-end test does in dom0, in one boot: `node xen-dom0.js RESULTS-DIRECTORY`. Leaves there what the
// test judges: report.json, the block traces of the guests, and the overlays with their dirty logs.
import { cpSync, readdirSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';

import { VirtualDisk } from '../index.js';
import { deviceModelRoute } from './xen-device-model-route.js';
import { newChain, report, results, say } from './xen-job.js';
import { ownKindRoute } from './xen-own-kind-route.js';

/** On a running Xen host, and still: nobody listens for a domain that is not there. */
async function noSuchDomain(): Promise<void> {
  await using disk = await VirtualDisk.open(await newChain('nobody'));
  report['noSuchDomain'] = await disk
    .serveXen({ domainId: 4000, device: 'xvda' })
    .then(() => 'served')
    .catch((error: unknown) => (error as { code?: string }).code);
}

const started = Date.now();
const failures: string[] = [];
for (const scenario of [deviceModelRoute, ownKindRoute, noSuchDomain]) {
  try {
    await scenario();
  } catch (error) {
    failures.push(error instanceof Error ? (error.stack ?? error.message) : String(error));
    say(`failed: ${failures.at(-1) ?? ''}`);
    process.exitCode = 1;
  }
}
for (const name of readdirSync('/var/log/xen').filter((file) => file.endsWith('.log'))) {
  cpSync(`/var/log/xen/${name}`, `${results}/${name}`);
}
report['failures'] = failures;
report['seconds'] = (Date.now() - started) / 1000;
await writeFile(`${results}/report.json`, JSON.stringify(report, null, 2));
// Domains and their consoles may be left over after a failure; the machine is turned off anyway.
process.exit();
