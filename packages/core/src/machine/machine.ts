import { createHash } from 'node:crypto';

import { z } from 'zod';

import { RepriseError } from '../errors.js';

/**
 * The definition of a VM: what both hosts must agree on before a snapshot of one can run on the other.
 * It is a closed schema. The hypervisor's adapter turns it into arguments; nothing from a peer passes raw.
 */

/** SHA-256 in lower-case hex. */
export const sha256Hex = z.string().regex(/^[0-9a-f]{64}$/);

const bootSchema = z.strictObject({
  /** Digest of the kernel image; the file stands in the store's boot folder. */
  kernel: sha256Hex,
  initrd: sha256Hex.optional(),
  /** The kernel's command line. Printable ASCII, as the boot protocol hands it over. */
  append: z
    .string()
    .max(1024)
    .regex(/^[\x20-\x7e]*$/)
    .default(''),
});

export const machineSchema = z
  .strictObject({
    version: z.literal(1),
    hypervisor: z.literal('qemu'),
    /** Versioned, never an alias: the same name means the same hardware for every later QEMU. */
    machineType: z
      .string()
      .regex(/^pc-(i440fx|q35)-\d+\.\d+$/)
      .default('pc-i440fx-7.2'),
    /** `tcg` or `kvm`, decided once by a probe: device state does not move between accelerators. */
    accelerator: z.enum(['tcg', 'kvm']),
    /** A named model with a fixed feature set; never the host's own. */
    cpuModel: z
      .string()
      .regex(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/)
      .refine((model) => model !== 'host' && model !== 'max', 'must be a named model')
      .default('qemu64'),
    cpus: z.int().min(1).max(64).default(1),
    memoryMiB: z
      .int()
      .min(16)
      .max(1024 * 1024),
    diskBytes: z
      .int()
      .min(4096)
      .max(2 ** 46)
      .multipleOf(4096),
    display: z
      .strictObject({
        width: z.int().min(320).max(4096),
        height: z.int().min(200).max(4096),
      })
      .default({ width: 800, height: 600 }),
    boot: z.discriminatedUnion('kind', [
      z.strictObject({ kind: z.literal('direct'), ...bootSchema.shape }),
      z.strictObject({ kind: z.literal('firmware') }),
    ]),
    /** What the guest's clock counts: the host's time, or instructions (see virtual time). */
    clock: z.enum(['host', 'virtual']).default('host'),
    /** The wall-clock time that the guest's real-time clock shows at power-on, UTC. */
    clockBase: z.string().regex(/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}$/),
    /** Seeds what the hypervisor itself draws at random. */
    seed: z.int().min(0).max(0xffffffff),
    network: z.enum(['none', 'user']).default('none'),
    /**
     * Whether frames that reach the guest are part of the input log, where its clock is virtual: with them a replay
     * is exact, without them what they changed is shipped. Absent: `log`.
     */
    inboundFrames: z.enum(['log', 'drop']).optional(),
    /** A balloon that reports free guest pages, so that they read as zeros. */
    balloon: z.boolean().default(true),
  })
  .refine((m) => m.clock === 'host' || (m.accelerator === 'tcg' && m.cpus === 1), {
    path: ['clock'],
    error: 'a virtual clock needs emulation (accelerator tcg) and one CPU',
  })
  .refine((m) => m.inboundFrames === undefined || m.clock === 'virtual', {
    path: ['inboundFrames'],
    error: 'only a machine with a virtual clock logs frames',
  });

export type Machine = z.infer<typeof machineSchema>;
export type MachineInput = z.input<typeof machineSchema>;

/** Checks a definition that comes from a file, a person or a peer. Throws INVALID_MACHINE. */
export function parseMachine(value: unknown): Machine {
  const result = machineSchema.safeParse(value);
  if (result.success) return result.data;
  throw new RepriseError(
    'INVALID_MACHINE',
    `The machine definition is not acceptable: ${z.prettifyError(result.error)}. Correct these fields.`,
    { cause: result.error },
  );
}

/** SHA-256 over the definition with its keys in order: equal for equal machines, whoever wrote them. */
export function machineDigest(machine: Machine): string {
  return createHash('sha256')
    .update('reprise-machine-v1\0')
    .update(canonicalJson(machine))
    .digest('hex');
}

/** JSON with sorted keys and no white space. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, item: unknown) =>
    typeof item === 'object' && item !== null && !Array.isArray(item)
      ? Object.fromEntries(Object.entries(item).sort(([a], [b]) => (a < b ? -1 : 1)))
      : item,
  );
}
