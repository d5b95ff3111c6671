import { chmod, rm } from 'node:fs/promises';
import { connect, createServer, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';

import { z } from 'zod';

import { describeError, errorCodes, RepriseError, type ErrorCode } from '../errors.js';

/**
 * How other processes talk to the supervisor of a running VM: one JSON object a line over a unix
 * socket that only its owner can open; one request, one reply, then the connection ends.
 */

const MAX_LINE_BYTES = 64 * 1024;
const LAST_REPLY_MS = 2_000;

export const controlRequest = z.discriminatedUnion('method', [
  z.strictObject({ method: z.literal('status') }),
  z.strictObject({ method: z.literal('suspend'), squeeze: z.boolean().optional() }),
  z.strictObject({ method: z.literal('discard') }),
  z.strictObject({ method: z.literal('screenshot'), file: z.string().max(4096) }),
]);
export type ControlRequest = z.infer<typeof controlRequest>;

export const vmStatus = z.strictObject({
  name: z.string(),
  state: z.enum(['running', 'suspending']),
  pid: z.int(),
  /** Where a viewer connects. */
  console: z.string(),
  startedAt: z.iso.datetime(),
  sessionMs: z.number(),
  /** Where time is virtual: what of the real time the host did not keep up with, ms. */
  lagMs: z.number().optional(),
  /** There, too: what its disk has done for the guest in this session, and how long it stood still for that, ms. */
  diskRequests: z.int().optional(),
  diskMs: z.number().optional(),
  guestCpuMs: z.number(),
  inputEvents: z.int(),
  diskRestarts: z.int(),
  warnings: z.array(z.string()),
});
export type VmStatus = z.infer<typeof vmStatus>;

export interface ControlReplies {
  readonly status: VmStatus;
  readonly suspend: { readonly root: string };
  readonly discard: Record<string, never>;
  readonly screenshot: Record<string, never>;
}

const replySchema = z.union([
  z.object({ result: z.unknown() }),
  z.object({ error: z.object({ code: z.string(), message: z.string() }) }),
]);

/** Answers requests at `path` until disposed. */
export async function serveControl(
  path: string,
  answer: (request: ControlRequest) => Promise<unknown>,
): Promise<AsyncDisposable> {
  await rm(path, { force: true });
  const open = new Set<Socket>();
  const answering = new Set<Promise<void>>();
  const server = createServer((socket) => {
    open.add(socket);
    socket.on('error', () => socket.destroy());
    socket.once('close', () => open.delete(socket));
    void firstLine(socket).then((line) => {
      if (line === undefined) return;
      const replied = answerLine(line, answer).then((reply) => {
        socket.end(`${JSON.stringify(reply)}\n`);
        answering.delete(replied);
      });
      answering.add(replied);
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, resolve);
  });
  await chmod(path, 0o600);
  return {
    [Symbol.asyncDispose]: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      // A reply that is being made still arrives, but one that hangs does not hold us up.
      const patience = new AbortController();
      const { signal } = patience;
      await Promise.race([
        Promise.all(answering),
        sleep(LAST_REPLY_MS, undefined, { signal }).catch(() => undefined),
      ]);
      patience.abort();
      for (const socket of open) socket.destroySoon();
      await closed;
    },
  };
}

/** Asks the supervisor behind `path`. Throws SUPERVISOR_UNREACHABLE, TIMEOUT, or what it reports. */
export async function callControl<M extends ControlRequest['method']>(
  path: string,
  request: Extract<ControlRequest, { method: M }>,
  options: { timeoutMs?: number } = {},
): Promise<ControlReplies[M]> {
  const timeoutMs = options.timeoutMs ?? 30_000;
  const socket = connect({ path });
  const timer = setTimeout(() => {
    socket.destroy(
      new RepriseError(
        'TIMEOUT',
        `The supervisor of the VM did not answer within ${String(timeoutMs / 1000)} s. Try again; if it repeats, end its process and start the VM again.`,
      ),
    );
  }, timeoutMs);
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', reject);
    });
    const failed = new Promise<never>((_resolve, reject) => socket.once('error', reject));
    socket.write(`${JSON.stringify(request)}\n`);
    const line = await Promise.race([firstLine(socket), failed]);
    if (line === undefined) throw unreachable();
    const reply = replySchema.parse(JSON.parse(line));
    if ('error' in reply) throw remoteError(reply.error);
    return reply.result as ControlReplies[M];
  } catch (error) {
    throw error instanceof RepriseError ? error : unreachable(error);
  } finally {
    clearTimeout(timer);
    socket.destroy();
  }
}

async function answerLine(
  line: string,
  answer: (request: ControlRequest) => Promise<unknown>,
): Promise<unknown> {
  try {
    return { result: await answer(controlRequest.parse(JSON.parse(line))) };
  } catch (error) {
    const code = error instanceof RepriseError ? error.code : 'INTERNAL';
    return { error: { code, message: describeError(error) } };
  }
}

async function firstLine(socket: Socket): Promise<string | undefined> {
  let received = 0;
  socket.on('data', (chunk: Buffer) => {
    received += chunk.length;
    if (received > MAX_LINE_BYTES) socket.destroy();
  });
  for await (const line of createInterface({ input: socket })) return line;
  return undefined;
}

function unreachable(cause?: unknown): RepriseError {
  return new RepriseError(
    'SUPERVISOR_UNREACHABLE',
    'The process that owns the running VM does not answer. Run reprise vm show to see its state, then start the VM again.',
    { cause },
  );
}

function remoteError(error: { code: string; message: string }): RepriseError {
  const known = Object.hasOwn(errorCodes, error.code);
  return new RepriseError(known ? (error.code as ErrorCode) : 'INTERNAL', error.message);
}
