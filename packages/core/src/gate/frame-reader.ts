import { RepriseError } from '../errors.js';

/** What QEMU allows a frame to have, on any backend. */
const MAX_FRAME_BYTES = 4096 + 65_536;
const LENGTH_BYTES = 4;

/**
 * Cuts a byte stream of QEMU's (a stream netdev, a mirroring filter) into Ethernet frames: each is
 * preceded by its length, u32 big-endian. Holds at most one incomplete frame.
 */
export class FrameReader {
  #rest: Buffer = Buffer.alloc(0);

  /** The frames that `chunk` completes; they share its memory. Throws PROTOCOL_VIOLATION for a length that no frame has. */
  *push(chunk: Buffer): Generator<Uint8Array> {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    let at = 0;
    while (bytes.length - at >= LENGTH_BYTES) {
      const length = bytes.readUInt32BE(at);
      if (length > MAX_FRAME_BYTES) {
        throw new RepriseError(
          'PROTOCOL_VIOLATION',
          'A network process announced a frame longer than any frame is. Suspend the VM and start it again.',
          { context: { length } },
        );
      }
      const end = at + LENGTH_BYTES + length;
      if (end > bytes.length) break;
      yield bytes.subarray(at + LENGTH_BYTES, end);
      at = end;
    }
    // A copy: the rest of a chunk must not keep the whole chunk alive.
    this.#rest = Buffer.from(bytes.subarray(at));
  }
}

/** A frame as the stream carries it. */
export function framed(frame: Uint8Array): Buffer {
  const bytes = Buffer.alloc(LENGTH_BYTES + frame.length);
  bytes.writeUInt32BE(frame.length, 0);
  bytes.set(frame, LENGTH_BYTES);
  return bytes;
}
