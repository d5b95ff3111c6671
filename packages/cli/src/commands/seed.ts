import { parseRate, seed } from '@reprise/core';

import type { Context } from '../context.js';
import { withSpinner } from '../output/spinner.js';
import { bytes, seconds, short } from '../output/units.js';

import { sshOptions, type LinkOptions } from './link-options.js';

/** `seed`: sends a VM's newest snapshot whole, once, so that later migrations have a base. */
export async function seedVm(
  context: Context,
  name: string,
  destination: string,
  o: LinkOptions,
): Promise<void> {
  const startedMs = performance.now();
  const report = await withSpinner(context.output, `seeding '${name}' to ${destination}`, (say) =>
    seed({
      ...{ home: context.home, name, destination },
      ssh: sshOptions(o),
      ...(o.limit === undefined ? {} : { bytesPerSecond: parseRate(o.limit) }),
      signal: context.signal,
      onProgress: ({ part, done, total, bytes: crossed }) => {
        const elapsed = (performance.now() - startedMs) / 1000;
        const left = done === 0 ? '' : `, ${seconds((elapsed * (total - done)) / done)} left`;
        const percent = String(Math.floor((100 * done) / total));
        say(
          `${part}: ${percent} % of all, ${bytes(crossed.total)}, ${bytes(crossed.total / elapsed)}/s${left}`,
        );
      },
    }),
  );
  context.output.result(report, () => {
    const kept =
      report.skippedBytes === 0 ? '' : ` (${bytes(report.skippedBytes)} were there already)`;
    return `Seeded ${short(report.root)}: ${bytes(report.bytes.total)} in ${seconds(report.seconds)}${kept}.`;
  });
}
