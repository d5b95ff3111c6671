/**
 * Guests to try reprise with, built on this machine from Debian's packages, without root.
 *
 * @packageDocumentation
 */
import { desktop } from './desktop.js';
import { GuestError } from './errors.js';
import { buildGuest } from './guest-build.js';
import { guestsDirectory, obtainGuest, type GuestImages } from './guest-cache.js';
import type { GuestName, GuestRecipe, ImageName } from './recipe.js';
import { tiny } from './tiny.js';
import { xenHost } from './xen-host.js';

export { GuestError, type GuestErrorCode } from './errors.js';
export { guestsDirectory, type GuestImages } from './guest-cache.js';
export { READY_MARKER, type GuestName, type ImageName } from './recipe.js';
export { untilReady } from './until-ready.js';

const GUESTS: Readonly<Record<GuestName, GuestRecipe>> = { tiny, desktop };
const RECIPES: Readonly<Record<ImageName, GuestRecipe>> = { ...GUESTS, 'xen-host': xenHost };

/** The guests there are. */
export const GUEST_NAMES = Object.keys(GUESTS) as readonly GuestName[];

/** The guests, and the Xen host. */
export const IMAGE_NAMES = Object.keys(RECIPES) as readonly ImageName[];

/**
 * The images of a guest, built first if the cache does not hold them: `tiny` takes about a quarter of a
 * minute, `desktop` a few minutes, `xen-host` half a minute, cached ones a few milliseconds.
 *
 * @param o.onProgress receives a line for each step of a build; nothing when the guest is cached
 * @param o.signal cancels a build; nothing of it stays behind
 * @throws GuestError
 */
export async function ensureGuest(
  name: ImageName,
  o: { onProgress?(line: string): void; signal?: AbortSignal } = {},
): Promise<GuestImages> {
  if (!Object.hasOwn(RECIPES, name)) {
    throw new GuestError(
      'GUEST_UNKNOWN',
      `There is no guest ${JSON.stringify(name)}. Use one of: ${IMAGE_NAMES.join(', ')}.`,
      { name },
    );
  }
  return obtainGuest(RECIPES[name], buildGuest, guestsDirectory(), {
    onProgress: (line) => o.onProgress?.(line),
    signal: o.signal,
  });
}
