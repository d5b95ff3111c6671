import { describeError, RepriseError } from '../errors.js';
import { openStore } from '../snapshot/index.js';
import { requireVirtualTime } from '../virtual-time/index.js';

import { indexInBackground } from './background-index.js';
import { serveControl, type ControlRequest } from './control.js';
import { sessionRequest, type SessionReply } from './messages.js';
import { controlSocket } from './runtime-directory.js';
import { Session } from './session.js';

/**
 * The process that `start` leaves behind: it owns one running VM and ends with it. Whoever started it
 * hears by IPC how that went, then lets go; from then on the control socket is the way to talk to it.
 */

/** Settles when the message is out: a channel that is closed before drops what it still holds. */
async function tell(reply: SessionReply): Promise<void> {
  if (!process.connected) return;
  await new Promise<void>((resolve) => {
    process.send?.(reply, () => {
      resolve();
    });
  });
}

function letGo(): void {
  if (process.connected) process.disconnect();
}

async function supervise(request: ReturnType<typeof sessionRequest.parse>): Promise<void> {
  const store = await openStore({ home: request.home });
  const starting = new AbortController();
  const onProgress = (text: string) => {
    void tell({ kind: 'progress', text });
  };
  // Here and not in the session: the test runs a guest with the session's own parts.
  if ((await store.machine(request.name)).clock === 'virtual') {
    await requireVirtualTime({
      signal: starting.signal,
      onTest: () => {
        onProgress('testing virtual time on this host, once');
      },
    });
  }
  const session = await Session.start(store, request, {
    onProgress,
    signal: starting.signal,
  });
  let finish: () => void = () => undefined;
  const over = new Promise<void>((resolve) => (finish = resolve));
  const answer = async (asked: ControlRequest): Promise<unknown> => {
    switch (asked.method) {
      case 'status':
        return await session.status();
      case 'screenshot':
        await session.screenshot(asked.file);
        return {};
      case 'suspend':
        return await session.suspend({ squeeze: asked.squeeze ?? true }).finally(() => {
          if (session.isOver) finish();
        });
      case 'discard':
        await session.discard().finally(finish);
        return {};
    }
  };
  const control = await serveControl(controlSocket(request.home, request.name), answer);
  // A host that shuts down asks politely: the session is suspended, not lost.
  process.once('SIGTERM', () => {
    session.suspend().then(finish, (error: unknown) => {
      console.error(describeError(error));
      finish();
    });
  });
  await tell({ kind: 'running', status: await session.status() });
  letGo();
  await using _indexing = await indexBase(request, session);

  void session.ended.then((ending) => {
    console.error(`the guest ${ending === 'powered-off' ? 'switched itself off' : 'crashed'}`);
    finish();
  });
  await over;
  await control[Symbol.asyncDispose]();
  await store.close();
}

/** While the session runs, what its end is compared with is made ready. */
async function indexBase(
  { home, name }: ReturnType<typeof sessionRequest.parse>,
  { base }: Session,
): Promise<AsyncDisposable | undefined> {
  if (base === null) return undefined;
  return await indexInBackground({ home, name, root: base }, (lastWords) => {
    console.error(`the base was not indexed: ${lastWords}`);
  }).catch((error: unknown) => {
    console.error(`the base is not indexed: ${describeError(error)}`);
    return undefined;
  });
}

process.once('message', (message) => {
  supervise(sessionRequest.parse(message)).then(
    () => process.exit(0),
    async (error: unknown) => {
      console.error(error);
      process.exitCode = 1;
      const code = error instanceof RepriseError ? error.code : 'INTERNAL';
      await tell({ kind: 'failed', code, message: describeError(error) });
      letGo();
    },
  );
});
process.on('SIGINT', () => undefined);
process.on('SIGHUP', () => undefined);
