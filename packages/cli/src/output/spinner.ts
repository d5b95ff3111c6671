import { Listr } from 'listr2';

import type { Output } from './output.js';

/** Shows one piece of work while it lasts, with what it says of itself. */
export async function withSpinner<T>(
  output: Output,
  title: string,
  work: (say: (text: string) => void) => Promise<T>,
): Promise<T> {
  if (output.json) return await work(() => undefined);
  if (!process.stdout.isTTY) {
    output.note(`${title} …`);
    return await work(() => undefined);
  }
  let result: { value: T } | undefined;
  await new Listr(
    [
      {
        title,
        task: async (_context, task) => {
          result = {
            value: await work((text) => {
              task.output = text;
            }),
          };
        },
      },
    ],
    listrOptions,
  ).run();
  if (result === undefined) throw new Error('the task ended without a result');
  return result.value;
}

/** Errors are printed by the caller, once. */
export const listrOptions = {
  rendererOptions: { showErrorMessage: false, collapseErrors: false },
  registerSignalListeners: false,
} as const;
