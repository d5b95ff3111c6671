import { listenUnix, receive } from '@reprise/core';

import { trialOf, type Behaviour } from './behaviour.js';

/**
 * A destination in a process of its own, whose replays behave as they are told to: `node race-receiver.js HOME SOCKET
 * BEHAVIOUR`. It ends with the channel to its parent.
 */
const [home, socket, behaviour] = process.argv.slice(2);
if (home === undefined || socket === undefined || behaviour === undefined)
  throw new Error('race-receiver needs a home, a socket and a behaviour.');

const server = await listenUnix(socket, (link) => {
  receive({ home, link, trial: trialOf(behaviour as Behaviour) }).catch((error: unknown) => {
    process.stderr.write(`${String(error)}\n`);
  });
});
process.send?.('listening');
process.once('disconnect', () => {
  void Promise.resolve(server[Symbol.asyncDispose]()).finally(() => process.exit());
});
