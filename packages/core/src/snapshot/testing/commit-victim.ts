import promises from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';

/**
 * A program for the crash test: commits the working copy of `desk` in the store argv[2], and kills itself with SIGKILL just before
 * its argv[3]-th call that changes the file system. Prints the root when it gets to the end.
 */
const [home = '', fatal = ''] = process.argv.slice(2);
let calls = 0;

function countCall(): void {
  calls += 1;
  if (calls === Number(fatal)) process.kill(process.pid, 'SIGKILL');
}

const changing = ['chmod', 'copyFile', 'link', 'mkdir', 'rename', 'rm', 'writeFile'] as const;
for (const name of changing) {
  const original = promises[name] as (...parameters: unknown[]) => Promise<unknown>;
  Object.assign(promises, {
    [name]: (...parameters: unknown[]) => {
      countCall();
      return original.apply(promises, parameters);
    },
  });
}
const openFile = promises.open;
Object.assign(promises, {
  open: async (...parameters: Parameters<typeof openFile>) => {
    if (parameters[1] !== undefined && parameters[1] !== 'r') countCall();
    return openFile(...parameters);
  },
});
syncBuiltinESMExports();

const { openStore } = await import('../open-store.js');
await using store = await openStore({ home });
calls = 0;
const { root } = await store.commitWorkingCopy('desk');
process.stdout.write(root);
