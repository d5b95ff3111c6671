import { createHash } from 'node:crypto';
import { basename } from 'node:path';

import { virtualTimeReadiness } from '@reprise/core';
import { ensureGuest } from '@reprise/guests';

import { buildDigest } from '../measure/build-digest.js';

import type { VirtualSession } from './sessions.js';

/**
 * Names what a run measures: the builds of QEMU, plugin and reprise, the guest's image, the session, the machine, the
 * link. A result of another subject says nothing about this one.
 */
export async function subjectOf(
  session: VirtualSession,
  bytesPerSecond: number,
  signal: AbortSignal,
): Promise<string> {
  const readiness = await virtualTimeReadiness({ signal });
  if (!readiness.ready) {
    throw new Error(
      `Nothing to measure: guests do not run in virtual time here (${readiness.because}). Run reprise doctor.`,
    );
  }
  // Any port will do: the real one is another each time.
  const script = session.script(0);
  const guest = await ensureGuest(script.guest, { signal });
  const about = {
    ...{ identity: readiness.identity, build: await buildDigest() },
    ...{ guest: basename(guest.directory), script, network: session.network, bytesPerSecond },
  };
  return createHash('sha256').update(JSON.stringify(about)).digest('hex').slice(0, 16);
}
