import { RepriseError, type Verification } from '@reprise/core';

import type { Context } from '../context.js';
import { withSpinner } from '../output/spinner.js';
import { bytes, short } from '../output/units.js';

/** `verify`: reads every byte of a VM's snapshots and compares it with every digest. */
export async function verify(
  context: Context,
  name: string,
  options: { readonly all?: boolean },
): Promise<void> {
  await using store = await context.openStore();
  const head = await store.head(name);
  const snapshots =
    options.all === true ? await store.listSnapshots(name) : head === undefined ? [] : [head];
  if (snapshots.length === 0) {
    throw new RepriseError(
      'NO_COMMON_BASE',
      `'${name}' has no snapshot yet. Start it and suspend it first.`,
    );
  }
  const results: (Verification & { readonly root: string })[] = [];
  for (const { root } of snapshots) {
    const verification = await withSpinner(context.output, `verifying ${short(root)}`, (say) =>
      store.verifySnapshot(name, root, {
        signal: context.signal,
        onProgress: ({ step, done, total }) => {
          say(`${step}: ${String(total === 0 ? 100 : Math.floor((100 * done) / total))} %`);
        },
      }),
    );
    results.push({ root, ...verification });
  }
  const broken = results.filter((result) => !result.ok);
  context.output.result({ ok: broken.length === 0, snapshots: results }, () =>
    results
      .map(({ root, ok, bytesRead, broken: parts }) =>
        ok
          ? `${short(root)}: ${bytes(bytesRead)} read, all digests match.`
          : `${short(root)} is damaged:\n${parts.map((part) => `  ${part.what}`).join('\n')}`,
      )
      .join('\n'),
  );
  if (broken.length > 0) {
    throw new RepriseError(
      'ROOT_MISMATCH',
      'A snapshot is damaged. Bring it from another host that holds it: reprise seed there, or migrate back.',
    );
  }
}
