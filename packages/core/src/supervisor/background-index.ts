import { fileURLToPath } from 'node:url';

import { OwnedProcess } from '../process/index.js';

/** The built program, whether this module runs from src (tests) or from dist. */
const INDEX_PROGRAM = new URL('../../dist/supervisor/index-process.js', import.meta.url);

/**
 * Has a process make the content index of a snapshot, which the next migration from it needs: with the disk and the processor
 * when nobody else wants them. It ends when it is done, when it is disposed of, or with this process. A failure is told to
 * `onFailure` and costs nothing but time: the migration makes the index itself.
 */
export async function indexInBackground(
  snapshot: { readonly home: string; readonly name: string; readonly root: string },
  onFailure: (lastWords: string) => void,
): Promise<AsyncDisposable> {
  const { home, name, root } = snapshot;
  const program = [process.execPath, fileURLToPath(INDEX_PROGRAM), home, name, root];
  const owned = await OwnedProcess.start('ionice', ['--class', 'idle', ...program], {
    packageHint: 'util-linux',
  });
  let wanted = true;
  void owned.exited.then(({ code, lastWords }) => {
    if (wanted && code !== 0) onFailure(lastWords);
  });
  return {
    [Symbol.asyncDispose]: async () => {
      wanted = false;
      await owned.stop();
    },
  };
}
