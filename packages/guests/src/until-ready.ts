import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { GuestError } from './errors.js';
import { READY_MARKER } from './recipe.js';

const LOOK_MS = 100;
const LAST_LINES = 5;

/**
 * Waits until a guest that was started says that it is ready: its shell, or its desktop, is about to
 * show itself. The screen may still change a moment after.
 *
 * @param serialLog the file that the guest's serial port goes to; it may not be there yet
 * @param o.signal ends the wait with the signal's reason
 * @throws GuestError GUEST_NOT_READY after `timeoutMs`, with the last lines that the guest printed
 */
export async function untilReady(
  serialLog: string,
  o: { readonly timeoutMs: number; readonly signal?: AbortSignal | undefined },
): Promise<void> {
  const deadline = Date.now() + o.timeoutMs;
  for (;;) {
    const printed = await readFile(serialLog, 'latin1').catch(() => '');
    if (printed.includes(READY_MARKER)) return;
    if (Date.now() > deadline) throw notReady(serialLog, o.timeoutMs, printed);
    await sleep(LOOK_MS, undefined, o.signal === undefined ? {} : { signal: o.signal });
  }
}

function notReady(serialLog: string, timeoutMs: number, printed: string): GuestError {
  const lines = printed.trim().split(/\r?\n/).slice(-LAST_LINES);
  return new GuestError(
    'GUEST_NOT_READY',
    `The guest did not become ready in ${String(timeoutMs / 1000)} s. Read what it printed in ${serialLog}; on a loaded host, try again. Its last lines: ${lines.join(' | ')}`,
    { serialLog, lines },
  );
}
