import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { Image } from '@reprise/differ';

import { cancelled, describeError, throwIfCancelled } from '../errors.js';
import { machineDigest } from '../machine/index.js';
import type { StoreContext } from './context.js';
import { toHex, treeOptions } from './digest-state.js';
import type { VmLayout } from './layout.js';
import { digestFile, rootDigest } from './root-digest.js';
import type { BrokenPart, LongOptions, Verification } from './store.js';
import { readMachine, requireSnapshot } from './vm-files.js';

const MAX_LEAVES_NAMED = 16;
const DIGEST_BYTES = 32;

/**
 * Reads every byte of a snapshot again, hashes RAM and disk whole, and compares with the manifest, the leaves and the
 * root's name. Damage is in the result; only what keeps it from reading at all throws.
 */
export async function verifySnapshot(
  { tree, disks }: StoreContext,
  vm: VmLayout,
  root: string,
  options: LongOptions,
): Promise<Verification> {
  const { manifest, paths, chain } = await requireSnapshot(vm, root);
  const broken: BrokenPart[] = [];
  const scratch = await mkdtemp(join(tmpdir(), 'reprise-verify-'));
  const checkTree = async (
    part: 'ram' | 'disk',
    keptLeaves: string,
    expected: { sizeBytes: number; root: string },
    openImage: () => Promise<Image>,
  ) => {
    throwIfCancelled(options.signal);
    const freshLeaves = join(scratch, part);
    let fresh: string;
    try {
      const image = await openImage();
      if (Number(image.sizeBytes) !== expected.sizeBytes) {
        broken.push({
          part,
          what: `The ${part} has ${image.sizeBytes.toString()} bytes instead of ${expected.sizeBytes}.`,
        });
        return;
      }
      fresh = toHex(
        await tree.hashLeaves(image, freshLeaves, treeOptions(`verify ${part}`, options)),
      );
    } catch (error) {
      if (options.signal?.aborted === true) throw cancelled(options.signal);
      broken.push({ part, what: `The ${part} cannot be read: ${describeError(error)}` });
      return;
    }
    const leaves = await differingLeaves(freshLeaves, keptLeaves);
    if (fresh !== expected.root) {
      broken.push({
        part,
        what: `The ${part} is not what was suspended.`,
        ...(leaves === undefined ? {} : { leaves }),
      });
    } else if (leaves === undefined || leaves.length > 0) {
      broken.push({
        part: `${part}.leaves`,
        what: `${keptLeaves} is damaged; the ${part} itself is whole.`,
      });
    }
  };
  try {
    await checkTree('ram', paths.ramLeaves, manifest.ram, () => tree.fileImage(paths.ram));
    await checkTree('disk', paths.diskLeaves, manifest.disk, () =>
      disks.image(chain.base, chain.layers),
    );
    await checkDevice(paths.device, manifest.device, broken, options.signal);
    const machine = machineDigest(await readMachine(vm));
    if (machine !== manifest.machineDigest) {
      broken.push({
        part: 'machine',
        what: `${vm.machine} is not the machine that was suspended.`,
      });
    }
    if (rootDigest({ ...manifest, machine: manifest.machineDigest }) !== root) {
      broken.push({
        part: 'root',
        what: `${paths.directory}/manifest.json does not give the snapshot's name.`,
      });
    }
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
  const bytesRead = manifest.ram.sizeBytes + manifest.disk.sizeBytes + manifest.device.sizeBytes;
  return { ok: broken.length === 0, bytesRead, broken };
}

async function checkDevice(
  path: string,
  expected: { sizeBytes: number; sha256: string },
  broken: BrokenPart[],
  signal: AbortSignal | undefined,
): Promise<void> {
  throwIfCancelled(signal);
  try {
    const { sizeBytes, sha256 } = await digestFile(path, signal);
    if (sizeBytes === expected.sizeBytes && sha256 === expected.sha256) return;
    broken.push({ part: 'device', what: `${path} is not the device state that was suspended.` });
  } catch (error) {
    if (signal?.aborted === true) throw cancelled(signal);
    broken.push({
      part: 'device',
      what: `The device state cannot be read: ${describeError(error)}`,
    });
  }
}

/** The first leaves whose digests differ; undefined if the kept file is missing or of another length. */
async function differingLeaves(fresh: string, kept: string): Promise<number[] | undefined> {
  const { size } = await stat(fresh);
  const keptSize = await stat(kept).then(
    (found) => found.size,
    () => -1,
  );
  if (keptSize !== size) return undefined;
  const [left, right] = [await readFile(fresh), await readFile(kept)];
  const leaves: number[] = [];
  for (let at = 0; at < size && leaves.length < MAX_LEAVES_NAMED; at += DIGEST_BYTES) {
    const end = at + DIGEST_BYTES;
    if (left.compare(right, at, end, at, end) !== 0) leaves.push(at / DIGEST_BYTES);
  }
  return leaves;
}
