import { createHash } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { cpus, homedir } from 'node:os';
import { join } from 'node:path';

import { z } from 'zod';

import { describeError, RepriseError } from '../errors.js';
import { canonicalJson } from '../machine/index.js';

import { identifyVirtualTime, type VirtualTimeIdentity } from './identity.js';
import { runSelfTest, type SelfTestResult } from './self-test.js';

/** Whether guests run in virtual time here. */
export type Readiness =
  | {
      readonly ready: true;
      readonly identity: VirtualTimeIdentity;
      readonly found: string;
      /** The result is an earlier run's. */
      readonly cached: boolean;
    }
  | { readonly ready: false; readonly because: string };

export interface ReadinessOptions {
  /** Test again although there is a result. */
  readonly fresh?: boolean;
  readonly signal?: AbortSignal;
  /** Told before a test, which takes some seconds. */
  readonly onTest?: () => void;
}

const stored = z.strictObject({ passed: z.boolean(), found: z.string(), seconds: z.number() });

/**
 * Tests once for each build of QEMU, build of the plugin and CPU of the host, and remembers the result in
 * the user's cache. A failure is remembered for nothing: the next question tests again.
 */
export async function virtualTimeReadiness(options: ReadinessOptions = {}): Promise<Readiness> {
  let identity: VirtualTimeIdentity;
  try {
    identity = await identifyVirtualTime();
  } catch (error) {
    if (error instanceof RepriseError) return { ready: false, because: describeError(error) };
    throw error;
  }
  const path = join(cacheDirectory(), `${resultName(identity)}.json`);
  const known = options.fresh === true ? undefined : await read(path);
  if (known?.passed === true) return { ready: true, identity, found: known.found, cached: true };
  options.onTest?.();
  const result = await runSelfTest(options.signal);
  if (!result.passed) return { ready: false, because: result.found };
  await write(path, result);
  return { ready: true, identity, found: result.found, cached: false };
}

/** Throws VIRTUAL_TIME_UNAVAILABLE, with what to do, where a guest in virtual time must not be started. */
export async function requireVirtualTime(options: ReadinessOptions = {}): Promise<void> {
  const readiness = await virtualTimeReadiness(options);
  if (readiness.ready) return;
  throw new RepriseError(
    'VIRTUAL_TIME_UNAVAILABLE',
    `This host cannot run a VM in virtual time: ${readiness.because}. Run reprise doctor; where it cannot be mended, import the VM with --clock host.`,
    { context: { because: readiness.because } },
  );
}

function cacheDirectory(): string {
  const user = process.env['XDG_CACHE_HOME'];
  return join(
    user === undefined || user === '' ? join(homedir(), '.cache') : user,
    'reprise',
    'virtual-time',
  );
}

function resultName(identity: VirtualTimeIdentity): string {
  const host = { cpu: cpus()[0]?.model ?? 'unknown', platform: process.platform };
  return createHash('sha256').update(canonicalJson({ identity, host })).digest('hex').slice(0, 32);
}

/** A result that cannot be read is none: the test is run again. */
async function read(path: string): Promise<SelfTestResult | undefined> {
  try {
    return stored.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch {
    return undefined;
  }
}

async function write(path: string, result: SelfTestResult): Promise<void> {
  await mkdir(cacheDirectory(), { recursive: true, mode: 0o700 });
  const partial = `${path}.${String(process.pid)}.partial`;
  await writeFile(partial, `${JSON.stringify(result)}\n`);
  await rename(partial, path);
}
