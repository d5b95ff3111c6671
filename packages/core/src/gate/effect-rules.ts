import { readFile } from 'node:fs/promises';

import { z } from 'zod';

import { RepriseError } from '../errors.js';

import type { FlowRecord } from './flow-record.js';

/**
 * Which of the things that a guest sent changed something in the world. A list of rules, the first that fits
 * decides; the built-in ones come last. Documented for people in docs/side-effects.md.
 */

const MAX_RULES = 1000;
const MAX_FILE_BYTES = 1024 * 1024;

const when = z.strictObject({
  protocol: z.enum(['tcp', 'udp', 'icmp', 'other']).optional(),
  application: z.enum(['http', 'tls', 'smtp', 'dns', 'unknown']).optional(),
  port: z.int().min(0).max(65535).optional(),
  address: z.string().max(64).optional(),
  /** A host's name; `*.` in front stands for the domain and everything below it. */
  name: z.string().max(255).optional(),
  /** HTTP methods. Fits only requests that could be read. */
  methods: z.array(z.string().max(16)).max(16).optional(),
  /** Fits only what sent at most this many bytes together. */
  maxBytes: z.int().min(0).optional(),
});

const rule = z.strictObject({
  when,
  effect: z.boolean(),
  because: z.string().max(200).optional(),
});
export type EffectRule = z.infer<typeof rule>;

export const effectRules = z.strictObject({
  version: z.literal(1),
  rules: z.array(rule).max(MAX_RULES),
});

/** Asking is no effect. Whatever is not known to be only asking, is one. */
export const builtInRules: readonly EffectRule[] = [
  { when: { application: 'dns' }, effect: false, because: 'a name was looked up' },
  { when: { protocol: 'udp', port: 53 }, effect: false, because: 'a name was looked up' },
  { when: { protocol: 'udp', port: 123 }, effect: false, because: 'the time was asked' },
  { when: { protocol: 'icmp' }, effect: false, because: 'a host was pinged' },
  {
    when: { application: 'http', methods: ['GET', 'HEAD', 'OPTIONS'] },
    effect: false,
    because: 'a page was read',
  },
];

/**
 * The user's rules, or none where there is no file. Throws EFFECT_RULES_INVALID for a file that cannot be
 * understood: to guess would be to call an order harmless.
 */
export async function readEffectRules(path: string): Promise<readonly EffectRule[]> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw invalid(path, 'it cannot be read', error);
  }
  if (text.length > MAX_FILE_BYTES) throw invalid(path, 'it is longer than 1 MiB');
  try {
    return effectRules.parse(JSON.parse(text)).rules;
  } catch (error) {
    throw invalid(path, error instanceof z.ZodError ? z.prettifyError(error) : String(error));
  }
}

export interface Verdict {
  readonly effect: boolean;
  /** For a person. */
  readonly because: string;
}

/** Whether `burst` of `flow` had an effect. Pure. */
export function judge(
  flow: FlowRecord,
  burst: FlowRecord['bursts'][number],
  rules: readonly EffectRule[],
): Verdict {
  for (const { when: condition, effect, because } of [...rules, ...builtInRules]) {
    if (fits(condition, flow, burst)) return { effect, because: because ?? 'a rule says so' };
  }
  return { effect: true, because: 'something was sent' };
}

function fits(
  condition: EffectRule['when'],
  flow: FlowRecord,
  burst: FlowRecord['bursts'][number],
): boolean {
  const { protocol, application, port, address, name, methods, maxBytes } = condition;
  const same = <T>(wanted: T | undefined, is: T | undefined) =>
    wanted === undefined || wanted === is;
  return (
    same(protocol, flow.protocol) &&
    same(application, flow.application) &&
    same(port, flow.port) &&
    same(address, flow.address) &&
    (name === undefined || (flow.name !== undefined && nameFits(name, flow.name))) &&
    (methods === undefined || (burst.method !== undefined && methods.includes(burst.method))) &&
    (maxBytes === undefined || burst.bytes <= maxBytes)
  );
}

function nameFits(pattern: string, name: string): boolean {
  const wanted = pattern.toLowerCase();
  if (!wanted.startsWith('*.')) return wanted === name;
  return name === wanted.slice(2) || name.endsWith(wanted.slice(1));
}

function invalid(path: string, reason: string, cause?: unknown): RepriseError {
  return new RepriseError(
    'EFFECT_RULES_INVALID',
    `The rules in ${path} cannot be used: ${reason}. Correct the file, or move it away.`,
    { cause, context: { path } },
  );
}
