/** The addresses of QEMU's user network: where its gateway and its name server stand. */
const HOSTS = [
  [10, 0, 2, 2],
  [10, 0, 2, 3],
] as const;

const ETHERTYPE_ARP = 0x0806;
const FRAME_BYTES = 42;
const REQUEST = 1;
const REPLY = 2;

/**
 * The reply to an ARP request for the user network's gateway or name server, as QEMU gives it in a
 * session; undefined for any other frame. Without it a guest whose ARP cache has aged would stop at the
 * question, and nobody would see whom it was about to call.
 */
export function arpReplyTo(frame: Uint8Array): Uint8Array | undefined {
  if (frame.length < FRAME_BYTES) return undefined;
  const request = Buffer.from(frame.buffer, frame.byteOffset, frame.length);
  // Ethernet and IPv4 addresses, of 6 and 4 bytes.
  const expected = [0x0001, 0x0800, 0x0604, REQUEST];
  if (request.readUInt16BE(12) !== ETHERTYPE_ARP) return undefined;
  if (expected.some((word, i) => request.readUInt16BE(14 + 2 * i) !== word)) return undefined;
  const wanted = request.subarray(38, 42);
  if (!HOSTS.some((host) => host.every((byte, i) => byte === wanted[i]))) return undefined;
  const hardware = Buffer.from([0x52, 0x55, ...wanted]);
  const reply = Buffer.alloc(FRAME_BYTES);
  request.copy(reply, 0, 6, 12);
  hardware.copy(reply, 6);
  request.copy(reply, 12, 12, 20);
  reply.writeUInt16BE(REPLY, 20);
  hardware.copy(reply, 22);
  wanted.copy(reply, 28);
  request.copy(reply, 32, 22, 32);
  return reply;
}
