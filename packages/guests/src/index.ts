/**
 * Guests to try reprise with, built on this machine from Debian's packages, without root.
 *
 * @packageDocumentation
 */
import { desktop } from './desktop.js';
import { GuestError } from './errors.js';
import { buildGuest } from './guest-build.js';
import { guestsDirectory, obtainGuest, type GuestImages } from './guest-cache.js';
import type { GuestName, GuestRecipe } from './recipe.js';
import { tiny } from './tiny.js';

export { GuestError, type GuestErrorCode } from './errors.js';
export { guestsDirectory, type GuestImages } from './guest-cache.js';
export { READY_MARKER, type GuestName } from './recipe.js';

const RECIPES: Readonly<Record<GuestName, GuestRecipe>> = { tiny, desktop };

/** The guests there are. */
export const GUEST_NAMES = Object.keys(RECIPES) as readonly GuestName[];

/**
 * The images of a guest, built first if the cache does not hold them: `tiny` takes about a quarter of a
 * minute, `desktop` a few minutes, cached ones a few milliseconds.
 *
 * @param o.onProgress receives a line for each step of a build; nothing when the guest is cached
 * @param o.signal cancels a build; nothing of it stays behind
 * @throws GuestError
 */
export async function ensureGuest(
  name: GuestName,
  o: { onProgress?(line: string): void; signal?: AbortSignal } = {},
): Promise<GuestImages> {
  if (!Object.hasOwn(RECIPES, name)) {
    throw new GuestError(
      'GUEST_UNKNOWN',
      `There is no guest ${JSON.stringify(name)}. Use one of: ${GUEST_NAMES.join(', ')}.`,
      { name },
    );
  }
  return obtainGuest(RECIPES[name], buildGuest, guestsDirectory(), {
    onProgress: (line) => o.onProgress?.(line),
    signal: o.signal,
  });
}
