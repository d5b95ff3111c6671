import { execFile } from 'node:child_process';
import { GuestError } from './errors.js';

/** Offsets of the x86 boot protocol (kernel: Documentation/arch/x86/boot.rst). */
const SETUP_SECTORS = 0x1f1;
const MAGIC = 0x202;
const PAYLOAD_OFFSET = 0x248;
const PAYLOAD_LENGTH = 0x24c;
const XZ = Buffer.from('fd377a585a00', 'hex');

const DECOMPRESS_TIMEOUT_MS = 120_000;
const MOST_BYTES = 512 * 1024 * 1024;

/**
 * The ELF kernel inside a bzImage with an xz payload, as Debian's have. Xen's domain builder unpacks a bzImage
 * itself, but under emulation that takes longer than the whole boot.
 *
 * @throws GuestError GUEST_PACKAGE_INVALID
 */
export async function extractVmlinux(bzImage: Buffer): Promise<Buffer> {
  if (bzImage.length < 0x250 || bzImage.toString('latin1', MAGIC, MAGIC + 4) !== 'HdrS') {
    throw unusable('it is no bzImage');
  }
  const start = (bzImage.readUInt8(SETUP_SECTORS) + 1) * 512 + bzImage.readUInt32LE(PAYLOAD_OFFSET);
  // The last four bytes say how long the content is.
  const payload = bzImage.subarray(start, start + bzImage.readUInt32LE(PAYLOAD_LENGTH) - 4);
  if (!payload.subarray(0, XZ.length).equals(XZ)) throw unusable('its payload is not xz');
  const vmlinux = await unxz(payload);
  if (vmlinux.toString('latin1', 1, 4) !== 'ELF') throw unusable('what it holds is no ELF file');
  return vmlinux;
}

async function unxz(payload: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const options = {
      encoding: 'buffer',
      maxBuffer: MOST_BYTES,
      timeout: DECOMPRESS_TIMEOUT_MS,
    } as const;
    const child = execFile('xz', ['-dc'], options, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else reject(unusable(`xz could not unpack it (${stderr.toString().trim()})`, error));
    });
    // An xz that ends early is reported by its exit, not by the broken pipe.
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(payload);
  });
}

function unusable(why: string, cause?: unknown): GuestError {
  return new GuestError(
    'GUEST_PACKAGE_INVALID',
    `The kernel of the guest cannot be unpacked: ${why}. Check that xz-utils is installed, or adapt extractVmlinux to this kernel.`,
    {},
    cause,
  );
}
