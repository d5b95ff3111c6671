import { resolve } from 'node:path';

import { RepriseError, screenshotVm, vmStatus } from '@reprise/core';

import type { Context } from '../context.js';

/** `console`: where a viewer connects, or a picture of the screen. */
export async function consoleOf(
  context: Context,
  name: string,
  options: { readonly screenshot?: string },
): Promise<void> {
  const status = await vmStatus(context.home, name);
  if (status === undefined) {
    throw new RepriseError(
      'VM_NOT_RUNNING',
      `'${name}' does not run here. Start it: reprise start ${name}`,
    );
  }
  if (options.screenshot !== undefined) {
    const file = resolve(options.screenshot);
    await screenshotVm(context.home, name, file);
    context.output.result({ file }, () => `The screen is in ${file}.`);
    return;
  }
  context.output.result({ console: status.console }, () =>
    status.console.startsWith('/')
      ? `${status.console}\n\nAny VNC viewer that takes a unix socket shows it, for example:\n  vncviewer ${status.console}`
      : `${status.console}\n\nAny VNC viewer shows it; it asks for the password that start was given.`,
  );
}
