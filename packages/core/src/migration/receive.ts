import { describeError } from '../errors.js';
import type { Link } from '../link/index.js';
import { openStore } from '../snapshot/index.js';

import { greet } from './connect.js';
import { runDestination } from './destination.js';
import type { ReplayTrial } from './replay.js';
import { receiveSeed } from './seed-destination.js';

export interface ReceiveOptions {
  readonly home: string;
  readonly link: Link;
  readonly signal?: AbortSignal;
  /** What happens, a sentence each, for a log. Never input. */
  readonly onEvent?: (text: string) => void;
  /** For trials only. */
  readonly trial?: ReplayTrial;
}

/** Serves one source that has connected: a migration or a seed, as it asks. The link is closed at the end. */
export async function receive(options: ReceiveOptions): Promise<void> {
  const { home, link, signal } = options;
  const onEvent = options.onEvent ?? (() => undefined);
  await using store = await openStore({ home });
  await using channel = await greet(link, 'destination', store.hostId, signal);
  try {
    const message = await channel.receive('meet', 'seed');
    if (message.name === 'seed') {
      await receiveSeed({ store, channel, seed: message.content, onEvent });
    } else {
      const { trial } = options;
      await runDestination({
        ...{ store, channel, meet: message.content, signal, onEvent },
        ...(trial === undefined ? {} : { trial }),
      });
    }
  } catch (error) {
    onEvent(describeError(error));
    await channel.sendError(error);
    throw error;
  }
}
