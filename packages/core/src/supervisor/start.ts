import { spawn, type ChildProcess } from 'node:child_process';
import { mkdir, open } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { cancelled, errorCodes, RepriseError, type ErrorCode } from '../errors.js';

import { callControl, type VmStatus } from './control.js';
import type { SessionReply, SessionRequest } from './messages.js';
import { controlSocket } from './runtime-directory.js';
import type { LeftoverPolicy } from './session-copy.js';

/** The built program, whether this module runs from src (tests) or from dist. */
const SUPERVISOR = new URL('../../dist/supervisor/supervisor-process.js', import.meta.url);
const START_TIMEOUT_MS = 600_000;
const SUSPEND_TIMEOUT_MS = 600_000;

export interface StartVmOptions {
  readonly leftover?: LeftoverPolicy;
  /** Listen for viewers on this loopback port (0: any) instead of the unix socket. */
  readonly port?: { readonly port: number; readonly password: string };
  readonly signal?: AbortSignal;
  readonly onProgress?: (text: string) => void;
}

/**
 * Starts a VM and leaves it running under a supervisor of its own, which outlives the caller. The
 * supervisor's messages go to `<home>/log/<name>.log`.
 */
export async function startVm(
  home: string,
  name: string,
  options: StartVmOptions = {},
): Promise<VmStatus> {
  const request: SessionRequest = {
    ...{ home, name, leftover: options.leftover ?? 'refuse' },
    ...(options.port === undefined ? {} : { port: options.port }),
  };
  await mkdir(join(home, 'log'), { recursive: true, mode: 0o700 });
  const log = await open(join(home, 'log', `${name}.log`), 'a', 0o600);
  try {
    const child = spawn(process.execPath, [fileURLToPath(SUPERVISOR)], {
      detached: true,
      stdio: ['ignore', log.fd, log.fd, 'ipc'],
    });
    try {
      child.send(request);
      return await firstWord(child, options);
    } catch (error) {
      child.kill('SIGKILL');
      throw error;
    } finally {
      child.removeAllListeners();
      if (child.connected) child.disconnect();
      child.unref();
    }
  } finally {
    await log.close();
  }
}

/**
 * Suspends a running VM; settles with the root digest of its new head. Before it stops, the guest's free memory is
 * handed back through its balloon, unless `squeeze` is false: stale content of free pages need not travel.
 */
export async function suspendVm(
  home: string,
  name: string,
  options: { readonly squeeze?: boolean } = {},
): Promise<{ readonly root: string }> {
  return await callControl(
    controlSocket(home, name),
    { method: 'suspend', squeeze: options.squeeze ?? true },
    { timeoutMs: SUSPEND_TIMEOUT_MS },
  );
}

/** Ends a running VM and forgets its session. */
export async function discardSession(home: string, name: string): Promise<void> {
  await callControl(controlSocket(home, name), { method: 'discard' }, { timeoutMs: 60_000 });
}

/** What a running VM does; undefined when none runs. */
export async function vmStatus(home: string, name: string): Promise<VmStatus | undefined> {
  try {
    return await callControl(controlSocket(home, name), { method: 'status' });
  } catch (error) {
    if (error instanceof RepriseError && error.code === 'SUPERVISOR_UNREACHABLE') return undefined;
    throw error;
  }
}

/** Writes a PNG of a running VM's screen to `file` (an absolute path). */
export async function screenshotVm(home: string, name: string, file: string): Promise<void> {
  await callControl(controlSocket(home, name), { method: 'screenshot', file });
}

/** Waits until the supervisor says that the VM runs, or why it does not. */
async function firstWord(child: ChildProcess, options: StartVmOptions): Promise<VmStatus> {
  return await new Promise<VmStatus>((resolve, reject) => {
    const timer = setTimeout(() => {
      reject(
        new RepriseError(
          'TIMEOUT',
          'The VM did not start in ten minutes. Look at its log, then try again.',
        ),
      );
    }, START_TIMEOUT_MS);
    const settle = (action: () => void) => {
      clearTimeout(timer);
      options.signal?.removeEventListener('abort', abort);
      action();
    };
    const abort = () => {
      settle(() => {
        if (options.signal !== undefined) reject(cancelled(options.signal));
      });
    };
    options.signal?.addEventListener('abort', abort, { once: true });
    if (options.signal?.aborted === true) abort();
    child.on('message', (message) => {
      const reply = message as SessionReply;
      if (reply.kind === 'progress') options.onProgress?.(reply.text);
      else if (reply.kind === 'running') {
        settle(() => {
          resolve(reply.status);
        });
      } else {
        settle(() => {
          reject(new RepriseError(knownCode(reply.code), reply.message));
        });
      }
    });
    child.once('error', (cause) => {
      settle(() => {
        reject(
          new RepriseError(
            'INTERNAL',
            'The supervisor could not be started. Look at the log of the VM.',
            { cause },
          ),
        );
      });
    });
    // Emitted after the last message, unlike 'exit'.
    child.once('disconnect', () => {
      settle(() => {
        reject(
          new RepriseError(
            'INTERNAL',
            'The supervisor ended before the VM ran. Look at the log of the VM.',
          ),
        );
      });
    });
  });
}

function knownCode(code: string): ErrorCode {
  return Object.hasOwn(errorCodes, code) ? (code as ErrorCode) : 'INTERNAL';
}
